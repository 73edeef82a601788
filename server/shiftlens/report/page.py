"""A report as one HTML page.

Nothing in it comes from elsewhere, and its content security policy lets nothing in: no network at all, one style and
one script, each named by its hash. What models and files say reaches the page in two ways only, both escaped: by the
template, which escapes every value, and as JSON, which the script puts in as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from shiftlens import __version__
from shiftlens.analysis.contract import Described
from shiftlens.analysis.corpus import CorpusTally, counted
from shiftlens.analysis.curves import distances
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Token
from shiftlens.analysis.profile import most_often_shifted
from shiftlens.analysis.stages_of_file import FileStages
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import FROM_MODELS, PairSpec
from shiftlens.report.corpus import CorpusTables
from shiftlens.report.corpus_figures import curves
from shiftlens.report.scores import Pieces
from shiftlens.report.sections import COMMON_TOKENS, CommonToken, ResponseSection, SummaryTable, labels_of
from shiftlens.report.stages import StagesSection
from shiftlens.report.templates import as_json, asset, policy, template
from shiftlens.report.vocabulary import VocabularyOfReport
from shiftlens.text.visible import visible_piece

GENERATOR = "ShiftLens report"
_MARK = f'<meta name="generator" content="{GENERATOR} '
_MARK_WITHIN = 2_000


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """A file of a report.

    `models` has the keys "base" and "aligned", and None for what is not known; `refused` names responses without
    scores (index, message); `remarks` are sentences on what else the reader should know of this file. `stages` is what
    several tuned models of its base model gave, None where none were asked for.
    """

    name: str
    analysis: Analysis
    models: Mapping[str, Described | None] = field(default_factory=dict)
    refused: tuple[tuple[int, str], ...] = ()
    remarks: tuple[str, ...] = ()
    stages: FileStages | None = None


def render(files: Sequence[ReportedFile], failed: Sequence[tuple[str, str]] = ()) -> str:
    """The page. `failed` names files that could not be analysed, with the reason."""
    pieces = Pieces()
    vocabulary = VocabularyOfReport([file.analysis for file in files])
    every = [response for file in files for response in file.analysis.responses]
    # Classes of the two kinds of scores mean different things, so that they are not counted together.
    of_pairs = [response for response in every if not response.is_of_one_model]
    responses = of_pairs or every
    together = _Together(frozenset(map(id, responses)) if len(responses) > 1 else frozenset())
    sections = [_file(number, file, pieces, vocabulary, together) for number, file in enumerate(files, 1)]
    lists = vocabulary.lists()
    style, script = asset("page.css"), asset("page.js")
    corpus = together.tally.summary() if len(responses) > 1 else None
    return template(
        "page.html.jinja"
    ).render(
        version=__version__,
        generator=GENERATOR,
        policy=policy(style, script),
        style=Markup(style),  # noqa: S704 (the package's own file)
        script=Markup(script),  # noqa: S704 (the package's own file)
        files=sections,
        failed=failed,
        title=", ".join(file.name.rsplit("/", 1)[-1] for file in files[:3]) + (" …" if len(files) > 3 else ""),
        alone=not of_pairs and bool(every),
        not_counted=len(every) - len(responses),
        labels=labels_of(alone=not of_pairs and bool(every)),
        whole=None if corpus is None else SummaryTable.of(corpus.whole, alone=not of_pairs),
        common=[
            CommonToken(visible_piece(piece), count) for piece, count in most_often_shifted(responses, COMMON_TOKENS)
        ]
        if len(responses) > 1
        else [],
        corpus=None if corpus is None else CorpusTables.of(corpus),
        lines=[] if corpus is None else curves(corpus),
        vocabulary=None if isinstance(lists, str) else lists,
        why_no_vocabulary=lists if isinstance(lists, str) else "",
        pieces=as_json(pieces.texts),
    )


@dataclass(frozen=True, slots=True)
class _Together:
    """Puts together those responses whose identities are in `wanted`."""

    wanted: frozenset[int]
    tally: CorpusTally = field(default_factory=CorpusTally)

    def add(self, file: str, pair: PairSpec, response: ResponseAnalysis, rows: Sequence[Token]) -> None:
        """Count a response with its tokens, if it is wanted."""
        if id(response) not in self.wanted:
            return
        found = () if response.is_of_one_model else distances(response, rows)
        js, difference = [each.js_at_least for each in found], [each.logprob_difference for each in found]
        self.tally.add(counted(file, pair, response, js, difference))


def is_report(start: bytes) -> bool:
    """Whether a file that begins with these bytes is such a page."""
    return _MARK.encode() in start[:_MARK_WITHIN]


def _file(
    number: int, file: ReportedFile, pieces: Pieces, vocabulary: VocabularyOfReport, together: _Together
) -> dict[str, object]:
    analysis = file.analysis
    responses: list[ResponseSection] = []
    for response in analysis.responses:
        # Put together once for all that is told of them, and let go of with the response.
        rows = list(tokens(response))
        vocabulary.add(number, response, rows)
        together.add(file.name, analysis.pair, response, rows)
        key = f"{number}-{response.response.index + 1}"
        responses.append(ResponseSection.of(response, rows, analysis, key, pieces, as_json))
    return {
        "number": number,
        "name": file.name,
        "analysis": analysis,
        "models": [
            (side if analysis.scores == FROM_MODELS else "in the file", name, file.models.get(side))
            for side, name in zip(("base", "aligned"), analysis.model_names, strict=True)
            if name is not None
        ],
        "refused": file.refused,
        "remarks": file.remarks,
        "alone": bool(analysis.responses) and all(response.is_of_one_model for response in analysis.responses),
        "responses": responses,
        "stages": None if file.stages is None else StagesSection.of(file.stages),
    }

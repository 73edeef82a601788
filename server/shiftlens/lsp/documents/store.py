"""What each document shows: immutable values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.runs import Run
from shiftlens.analysis.stages_at import StageScores
from shiftlens.lsp.documents.paints import Paint
from shiftlens.options.pair import FROM_FILE, FROM_MODELS, NO_PAIR, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.outcomes import Refusal
from shiftlens.scores.records import OneModelScores
from shiftlens.transcripts.model import Transcript


@dataclass(frozen=True, slots=True)
class ResponseResult:
    """What is shown of one response: `analysis` of all its positions or (`partial`) of the first, or a `refusal`.

    `paints` are the colours of those positions, `runs` the runs of shifted tokens among them. `stages` are what is
    known of the response under each further model that the user named, none where no pair or not all of it is scored.
    """

    analysis: ResponseAnalysis | None = None
    refusal: Refusal | None = None
    partial: bool = False
    paints: tuple[Paint, ...] = ()
    runs: tuple[Run, ...] = ()
    stages: tuple[StageScores, ...] = ()

    @property
    def is_final(self) -> bool:
        return self.refusal is not None or (self.analysis is not None and not self.partial)

    def says_the_same_as(self, other: ResponseResult) -> bool:
        """Whether it is of the same analysis, or refused for the same reason. Never looks into the analysis."""
        return self.analysis is other.analysis and self.partial == other.partial and self.refusal == other.refusal


@dataclass(frozen=True, slots=True)
class DocumentAnalysis:
    """What one version of a document shows.

    `text` is the text that every offset refers to; `results` has one entry for each response of the transcript;
    `paints` are the colours of all responses in order, those of a response that is not scored yet carried over from
    the analysis before.
    """

    version: int
    text: str
    transcript: Transcript
    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    results: tuple[ResponseResult, ...]
    paints: tuple[Paint, ...]

    @property
    def scores(self) -> str:
        """Where the scores come from, one of `options.pair.SCORES`."""
        return FROM_FILE if self.pair == NO_PAIR else FROM_MODELS

    @property
    def model_names(self) -> tuple[str | None, str | None]:
        """The base and the aligned model; where scores are those of the file, None and the models that it names."""
        if self.pair != NO_PAIR:
            return self.pair.base, self.pair.aligned
        scored = (result.analysis.scored for result in self.results if result.analysis is not None)
        names = dict.fromkeys(each.model_name for each in scored if isinstance(each, OneModelScores))
        return None, ", ".join(name for name in names if name) or None

    @property
    def is_complete(self) -> bool:
        return all(result.is_final for result in self.results)

    def says_the_same_as(self, other: DocumentAnalysis) -> bool:
        """Whether every response has the same result."""
        return len(self.results) == len(other.results) and all(
            own.says_the_same_as(its) for own, its in zip(self.results, other.results, strict=True)
        )


@dataclass(slots=True)
class AnalysisStore:
    """The analysis that each document shows."""

    _shown: dict[str, DocumentAnalysis] = field(default_factory=dict)

    def shown(self, uri: str) -> DocumentAnalysis | None:
        return self._shown.get(uri)

    def show(self, uri: str, analysis: DocumentAnalysis) -> None:
        self._shown[uri] = analysis

    def hide(self, uri: str) -> bool:
        """Show nothing more of a document; False where nothing was shown."""
        return self._shown.pop(uri, None) is not None

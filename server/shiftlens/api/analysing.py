"""The Python API: `shiftlens.analyze(...)`, with the words of the command line."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, overload

from shiftlens.chat_templates.own import model_template
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ModelError, ScoringError, TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import (
    AUTO_LIBRARY,
    FROM_MODELS,
    SCORES,
    ClassifyOptions,
    PairSpec,
    ScoreOptions,
    parts_named,
)
from shiftlens.options.settings import SIDECARS
from shiftlens.options.word_lists import read_word_lists
from shiftlens.pipeline.analyse import Analysed, analyse
from shiftlens.pipeline.analyse_several import analyse_several
from shiftlens.pipeline.sidecars import NOTHING, Sidecars, decide, why_not_loadable
from shiftlens.report.results import SeveralAnalyses, TranscriptAnalysis
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.files import decode
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")
Message = Mapping[str, object]
"""A message as chat APIs have it: {"role": "user", "content": "..."}."""
Source = str | Path | Message | Sequence[Message]


class Options(TypedDict, total=False):
    """The options of `analyze` besides what it analyses and with which models."""

    sidecars: str
    base_context: str
    aligned_context: str
    classify_by: str
    thresholds: tuple[int, int]
    top_k: int
    score_parts: Sequence[str]
    word_lists: Path | None
    compat: str
    device: str
    dtype: str
    matrix_library: str
    allow_download: bool
    allow_pickle: bool
    transcript_format: str | None


@overload
def analyze(
    transcript: Source, *, base: str = ..., aligned: str = ..., scores: str = ..., **options: Unpack[Options]
) -> TranscriptAnalysis: ...
@overload
def analyze(
    transcript: Source,
    *,
    base: str,
    aligned: list[str] | tuple[str, ...],
    scores: str = ...,
    **options: Unpack[Options],
) -> SeveralAnalyses: ...
def analyze(
    transcript: Source,
    *,
    base: str = "",
    aligned: str | list[str] | tuple[str, ...] = "",
    scores: str = FROM_MODELS,
    sidecars: str = "auto",
    base_context: str = "aligntds",
    aligned_context: str = "chat",
    classify_by: str = "response",
    thresholds: tuple[int, int] = (1, 3),
    top_k: int = 10,
    score_parts: Sequence[str] = ("answer", "reasoning"),
    word_lists: Path | None = None,
    compat: str = "",
    device: str = "auto",
    dtype: str = "auto",
    matrix_library: str = AUTO_LIBRARY,
    allow_download: bool = False,
    allow_pickle: bool = False,
    transcript_format: str | None = None,
) -> TranscriptAnalysis | SeveralAnalyses:
    """Score and classify every response of a transcript.

    The transcript is its text as a str, a file as a Path, a list of messages (`[{"role": "user", "content": "..."},
    ...]`), or a mapping with "messages" and what else a record of an OpenAI log has ("tools"). Of messages, the places
    of tokens are those in the JSON of `json.dumps`.

    `aligned` may be a list of models, whose tokens are the same as the base model's: then the result has an analysis
    for each, and each response is read once for all.

    `base` and `aligned` name the pair; with `scores="saved"` no model is run, and the logprobs that the file itself
    holds are shown (see docs/saved-logprobs.md).

    `sidecars` is "auto", "always" or "never": whether the scores in a file beside the transcript are taken, which needs
    no models (docs/sidecars.md). `source` of the result says so where they are; what else there is to know is a
    warning.

    Uses the engine that editor windows and other calls share, and starts it where none runs; works in a notebook too,
    which shows the result as coloured text. `score_parts` are the kinds of parts that are scored, of "answer",
    "reasoning" and "tool_call"; the others stand in the context of what comes after them. `word_lists` is a file with
    lists in place of the package's, by which the kind of a token is told (see docs/kinds.md).
    `analysis.tokens.tokens` gives a response's positions one by one, `to_pandas` and `to_arrow` a table of them
    (docs/exports.md), and `analysis.contract.to_json` the whole as the command line's JSON. `save` of the result writes
    its scores beside the transcript (docs/sidecars.md).

    Raises TranscriptError for what is no transcript, ModelError for a pair that can't be used, ScoringError where a
    response can't be scored or a part is not one of these, WordListError (a ValueError) for a bad file of word lists,
    EngineError where the engine process fails, and ValueError where `aligned` is an empty list or names one twice.
    """
    names = [aligned] if isinstance(aligned, str) else list(aligned)
    if not names or len(set(names)) < len(names):
        raise ValueError("`aligned` is one model, or a list of different models.")
    parts = _parts(score_parts)
    if scores not in SCORES:
        raise ScoringError(f"`scores` must be one of {', '.join(map(repr, SCORES))}.")
    if sidecars not in SIDECARS:
        raise ScoringError(f"`sidecars` must be one of {', '.join(map(repr, SIDECARS))}.")
    if scores != FROM_MODELS and not isinstance(aligned, str):
        raise ValueError("Scores that are saved in a file are of one pair: `aligned` is one model, or none.")
    name, text, found = _transcript(transcript, transcript_format, names[0])
    beside = NOTHING
    if name and sidecars != "never" and scores == FROM_MODELS and isinstance(aligned, str):
        beside = Sidecars().beside(Path(name), Requests(found.responses, found.format))
    is_pair = bool(base and all(names))
    if scores == FROM_MODELS and not (is_pair or beside.scores):
        remedy = 'Name both, or pass `scores="saved"`.'
        raise ModelError("A pair needs both `base` and `aligned`.", f"{remedy} {beside.problem}".strip())
    lists = None if word_lists is None else read_word_lists(word_lists)

    def choice(model: str) -> Choice:
        return Choice(
            pair=PairSpec(
                base=base,
                aligned=model,
                device=device,
                dtype=dtype,
                matrix_library=matrix_library,
                allow_download=allow_download,
                allow_pickle=allow_pickle,
            ),
            score_options=ScoreOptions(
                base_context=base_context,
                aligned_context=aligned_context,
                top_k=top_k,
                compat=compat,
                parts=parts,
            ),
            classify_options=ClassifyOptions(classify_by=classify_by, thresholds=thresholds, word_lists=lists),
            problems=(),
            scores=scores,
        )

    choices = [choice(each) for each in names]
    if beside.sidecar is not None or beside.problem:
        chosen = choices[0]
        pair = chosen.pair if is_pair else None
        decided = decide(beside, pair, chosen.score_options, use=sidecars, why_not_loadable=why_not_loadable)
        if decided.remark:
            warnings.warn(decided.remark, stacklevel=2)
        chosen = replace(chosen, pair=decided.pair or chosen.pair, score_options=decided.options)
        return _named(_with_an_engine(lambda engine: analyse(engine, found, chosen, decided=decided)), name, text)
    if isinstance(aligned, str):
        return _named(_with_an_engine(lambda engine: analyse(engine, found, choices[0])), name, text)
    done = _with_an_engine(lambda engine: analyse_several(engine, found, choices))
    return SeveralAnalyses(tuple(_named(each, name, text) for each in done))


def _named(done: Analysed, name: str, text: str) -> TranscriptAnalysis:
    """Raises ScoringError where a response has no scores."""
    if done.refused:
        index, message = done.refused[0]
        raise ScoringError(f"Response {index + 1} ({done.analysis.pair.aligned}): {message}")
    return TranscriptAnalysis.of(done, name, text)


def _transcript(source: Source, transcript_format: str | None, aligned: str) -> tuple[str, str, Transcript]:
    """The name of the file, "" for none, its text, and its transcript. Raises TranscriptError."""
    named = transcript_format
    if isinstance(source, Path):
        name, text = str(source), decode(source.read_bytes())
    elif isinstance(source, str):
        name, text = "", source
    else:
        name, text, named = "", _json(source), transcript_format or "openai"
    found = read(
        text, filename=name or None, format=named, own_template=lambda _: model_template(aligned) if aligned else None
    )
    if found is None:
        raise TranscriptError(
            "This is not a transcript in any format that shiftlens knows.",
            "If it is one, name its format with `transcript_format`.",
        )
    return name, text, found


def _json(messages: Message | Sequence[Message]) -> str:
    record = dict(messages) if isinstance(messages, Mapping) else {"messages": [*map(_message, messages)]}
    try:
        return json.dumps(record, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise TranscriptError(f"These messages can't be written as JSON: {error}.") from None


def _message(message: object) -> dict[str, object]:
    if not isinstance(message, Mapping):
        raise TranscriptError(
            f"A message is a mapping with a role and a content, and this is {type(message).__name__}.",
            'Give messages as [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}].',
        )
    return dict(message)


def _parts(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return parts_named((names,) if isinstance(names, str) else names)
    except ValueError as error:
        raise ScoringError(f"`score_parts` must be {error}.") from None


def _with_an_engine(work: Callable[[EngineClient], Coroutine[object, object, T]]) -> T:
    async def run() -> T:
        engine = EngineClient()
        try:
            return await work(engine)
        finally:
            await engine.close()

    # Notebooks run a loop on the calling thread already, so this one gets another thread.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, run()).result()

"""`shiftlens.analyze(...)`, with the words of the command line."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

from shiftlens.api.inputs import ScoringOptions, Source, choice_of, named, transcript_of, with_an_engine
from shiftlens.errors import ModelError, ScoringError
from shiftlens.options.pair import (
    AUTO_LIBRARY,
    FROM_MODELS,
    SCORES,
)
from shiftlens.options.settings import SIDECARS
from shiftlens.pipeline.analyse import analyse
from shiftlens.pipeline.analyse_several import analyse_several
from shiftlens.pipeline.sidecars import NOTHING, Sidecars, decide, why_not_loadable
from shiftlens.report.results import SeveralAnalyses, TranscriptAnalysis
from shiftlens.scores.requests import Requests

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Options(ScoringOptions, total=False):
    """The options of `analyze` besides what it analyses and with which models."""

    sidecars: str


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
    if scores not in SCORES:
        raise ScoringError(f"`scores` must be one of {', '.join(map(repr, SCORES))}.")
    if sidecars not in SIDECARS:
        raise ScoringError(f"`sidecars` must be one of {', '.join(map(repr, SIDECARS))}.")
    if scores != FROM_MODELS and not isinstance(aligned, str):
        raise ValueError("Scores that are saved in a file are of one pair: `aligned` is one model, or none.")
    name, text, found = transcript_of(transcript, transcript_format, names[0])
    beside = NOTHING
    if name and sidecars != "never" and scores == FROM_MODELS and isinstance(aligned, str):
        beside = Sidecars().beside(Path(name), Requests(found.responses, found.format))
    is_pair = bool(base and all(names))
    if scores == FROM_MODELS and not (is_pair or beside.scores):
        remedy = 'Name both, or pass `scores="saved"`.'
        raise ModelError("A pair needs both `base` and `aligned`.", f"{remedy} {beside.problem}".strip())
    options = ScoringOptions(
        base_context=base_context,
        aligned_context=aligned_context,
        classify_by=classify_by,
        thresholds=thresholds,
        top_k=top_k,
        score_parts=score_parts,
        word_lists=word_lists,
        compat=compat,
        device=device,
        dtype=dtype,
        matrix_library=matrix_library,
        allow_download=allow_download,
        allow_pickle=allow_pickle,
    )
    choices = [choice_of(base, each, options, scores) for each in names]
    if beside.sidecar is not None or beside.problem:
        chosen = choices[0]
        pair = chosen.pair if is_pair else None
        decided = decide(beside, pair, chosen.score_options, use=sidecars, why_not_loadable=why_not_loadable)
        if decided.remark:
            warnings.warn(decided.remark, stacklevel=2)
        chosen = replace(chosen, pair=decided.pair or chosen.pair, score_options=decided.options)
        return named(with_an_engine(lambda engine: analyse(engine, found, chosen, decided=decided)), name, text)
    if isinstance(aligned, str):
        return named(with_an_engine(lambda engine: analyse(engine, found, choices[0])), name, text)
    done = with_an_engine(lambda engine: analyse_several(engine, found, choices))
    return SeveralAnalyses(tuple(named(each, name, text) for each in done))

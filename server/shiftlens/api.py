"""The Python API: `shiftlens.analyze(...)`, with the words of the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from shiftlens.analysis.model import Analysis
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
from shiftlens.options.word_lists import read_word_lists
from shiftlens.pipeline.analyse import analyse
from shiftlens.transcripts.files import decode
from shiftlens.transcripts.read import read

T = TypeVar("T")


def analyze(
    transcript: str | Path,
    *,
    base: str = "",
    aligned: str = "",
    scores: str = FROM_MODELS,
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
) -> Analysis:
    """Score and classify every response of a transcript: its text as a str, or a file as a Path.

    `base` and `aligned` name the pair; with `scores="saved"` no model is run, and the logprobs that the file itself
    holds are shown (see docs/saved-logprobs.md). Uses the engine that editor windows and other calls share, and starts
    it where none runs; works in a notebook too. `score_parts` are the kinds of parts that are scored, of "answer",
    "reasoning" and "tool_call"; the others stand in the context of what comes after them. `word_lists` is a file with
    lists in place of the package's, by which the kind of a token is told (see docs/kinds.md). `analysis.tokens.tokens`
    gives a response's positions one by one, `analysis.contract.to_json` the whole as the command line's JSON.

    Raises TranscriptError for what is no transcript, ModelError for a pair that can't be used, ScoringError where a
    response can't be scored or a part is not one of these, WordListError (a ValueError) for a bad file of word lists,
    EngineError where the engine process fails.
    """
    parts = _parts(score_parts)
    if scores not in SCORES:
        raise ScoringError(f"`scores` must be one of {', '.join(map(repr, SCORES))}.")
    if scores == FROM_MODELS and not (base and aligned):
        raise ModelError("A pair needs both `base` and `aligned`.", 'Name both, or pass `scores="saved"`.')
    is_file = isinstance(transcript, Path)
    text = decode(transcript.read_bytes()) if isinstance(transcript, Path) else transcript
    found = read(
        text,
        filename=str(transcript) if is_file else None,
        format=transcript_format,
        own_template=lambda _: model_template(aligned) if aligned else None,
    )
    if found is None:
        raise TranscriptError(
            "This is not a transcript in any format that shiftlens knows.",
            "If it is one, name its format with `transcript_format`.",
        )
    choice = Choice(
        pair=PairSpec(
            base=base,
            aligned=aligned,
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
        classify_options=ClassifyOptions(
            classify_by=classify_by,
            thresholds=thresholds,
            word_lists=None if word_lists is None else read_word_lists(word_lists),
        ),
        problems=(),
        scores=scores,
    )

    async def run() -> Analysis:
        engine = EngineClient()
        try:
            done = await analyse(engine, found, choice)
        finally:
            await engine.close()
        if done.refused:
            index, message = done.refused[0]
            raise ScoringError(f"Response {index + 1}: {message}")
        return done.analysis

    return _in_a_loop_of_its_own(run())


def _parts(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return parts_named((names,) if isinstance(names, str) else names)
    except ValueError as error:
        raise ScoringError(f"`score_parts` must be {error}.") from None


def _in_a_loop_of_its_own(work: Coroutine[object, object, T]) -> T:
    """Notebooks run a loop on the calling thread already, so this one gets another thread."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()

"""From a transcript to its analysis: score what the store does not hold, classify."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.model import Analysis
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import ModelDescription, Progress, Refused, Scored
from shiftlens.models.conversation import ResponseToScore, to_score
from shiftlens.pipeline.choice import Choice
from shiftlens.results.pair_results import PairResults, open_pair_results
from shiftlens.results.store import ResultStore
from shiftlens.scoring.columns import ScoredResponse
from shiftlens.transcripts.model import Transcript


@dataclass(frozen=True, slots=True)
class Analysed:
    """A file's analysis, what the models said of themselves, and responses without scores (index, message)."""

    analysis: Analysis
    models: dict[str, ModelDescription | None]
    refused: tuple[tuple[int, str], ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Scores:
    """The outcome of each response by its position, and what the models said of themselves."""

    scored: dict[int, ScoredResponse] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    models: tuple[ModelDescription | None, ModelDescription | None] = (None, None)


async def analyse(
    engine: EngineClient,
    transcript: Transcript,
    choice: Choice,
    *,
    store: ResultStore | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Analysed:
    """Score all responses of a transcript, but those whose scores are in the store.

    Raises ModelError, ScoringError and EngineError as the engine does, which is asked only for what is not stored.
    """
    responses = [to_score(response, transcript.format) for response in transcript.responses]
    kept = None if store is None else open_pair_results(store, choice.pair)
    scores = _Scores()
    if kept is not None:
        scores.scored.update(kept.recall(choice.score_options, responses))
    if len(scores.scored) < len(responses):
        await _score_rest(engine, choice, responses, kept, scores, on_progress)
    elif kept is not None:
        scores.models = kept.descriptions()
    analyses = tuple(
        build(transcript.responses[at], scored, choice.classify_options, compat=choice.score_options.compat)
        for at, scored in sorted(scores.scored.items())
    )
    analysis = Analysis(
        transcript=transcript,
        pair=choice.pair,
        score_options=choice.score_options,
        classify_options=choice.classify_options,
        responses=analyses,
        summary=combine(response.summary for response in analyses),
    )
    left_out = tuple((transcript.responses[at].index, message) for at, message in sorted(scores.refused.items()))
    base, aligned = scores.models
    return Analysed(analysis, {"base": base, "aligned": aligned}, left_out, choice.problems)


async def _score_rest(
    engine: EngineClient,
    choice: Choice,
    responses: Sequence[ResponseToScore],
    kept: PairResults | None,
    scores: _Scores,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    missing = [at for at in range(len(responses)) if at not in scores.scored]
    writing: list[asyncio.Task[None]] = []

    def keep(message: Scored) -> None:
        if message.partial:
            return
        at = missing[message.index]
        scores.scored[at] = message.scored
        # The engine may hold models whose files have changed since it loaded them.
        if kept is not None and message.fingerprints == kept.fingerprints:
            key = kept.key(choice.score_options, responses[at], message.matrix_library)
            put = asyncio.to_thread(kept.store.put, key, message.scored)
            writing.append(asyncio.create_task(put))

    def refuse(message: Refused) -> None:
        scores.refused[missing[message.index]] = f"{message.problem} {message.remedy}".strip()

    try:
        done = await engine.score(
            choice.pair,
            choice.score_options,
            [responses[at] for at in missing],
            on_progress=on_progress,
            on_scored=keep,
            on_refused=refuse,
        )
    finally:
        await asyncio.gather(*writing)
    scores.models = done.base, done.aligned
    if kept is not None:
        kept.keep_descriptions(done.base, done.aligned)

"""From a transcript to its analysis: score what the store does not hold, classify."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.parts import has_part_of
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Progress, Refused, Scored
from shiftlens.errors import TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.pipeline.unscored import left_out, why_nothing
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.pair_results import PairResults, open_pair_results
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


@dataclass(frozen=True, slots=True)
class Analysed:
    """A file's analysis, what the models said of themselves, and responses without scores (index, message).

    `not_scored` are the indices of those of which no part is of a kind that is scored.
    """

    analysis: Analysis
    models: dict[str, ModelDescription | None]
    refused: tuple[tuple[int, str], ...]
    problems: tuple[str, ...]
    not_scored: tuple[int, ...] = ()

    @property
    def left_out(self) -> str:
        """What the responses that are not scored hold instead, in a sentence; "" where there are none."""
        responses = self.analysis.transcript.responses
        return left_out(responses[index] for index in self.not_scored) if self.not_scored else ""


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
    """Score all responses of a transcript with a part that is to be scored, but those whose scores are in the store.

    Raises TranscriptError where there are none; ModelError, ScoringError and EngineError as the engine does, which is
    asked only for what is not stored.
    """
    parts = choice.score_options.parts
    if (why := why_nothing(transcript, parts)) is not None:
        raise TranscriptError(why[0], line=why[1])
    chosen = [response for response in transcript.responses if has_part_of(response, parts)]
    responses = Requests(chosen, transcript.format)
    kept = None if store is None else open_pair_results(store, choice.pair)
    scores = _Scores()
    if kept is not None:
        scores.scored.update(kept.recall(choice.score_options, responses))
    if len(scores.scored) < len(responses):
        await _score_rest(engine, choice, responses, kept, scores, on_progress)
    elif kept is not None:
        scores.models = kept.descriptions()
    analyses = tuple(
        build(chosen[at], scored, choice.classify_options, compat=choice.score_options.compat)
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
    refused = tuple((chosen[at].index, message) for at, message in sorted(scores.refused.items()))
    base, aligned = scores.models
    not_scored = tuple(response.index for response in transcript.responses if not has_part_of(response, parts))
    return Analysed(analysis, {"base": base, "aligned": aligned}, refused, choice.problems, not_scored)


async def _score_rest(
    engine: EngineClient,
    choice: Choice,
    responses: Requests,
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
        if kept is not None and kept.are_of(message.scored):
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

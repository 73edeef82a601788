"""One job under several aligned models beside one base model: what is missing is recalled, or scored together.

What a store holds of a pair is not scored again, so that a later run with one more tuned model scores that one alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import msgspec

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Progress, Scored, ScoreSeveral
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import Recalled, Update, note_scores, recall, result_of
from shiftlens.pipeline.work import Work
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import OutcomeCache
from shiftlens.scores.pair_results import PairResults


@dataclass(frozen=True, slots=True)
class FinishedEach:
    """All that was wanted has a result. What base and aligned model of each pair are, as far as that is known."""

    models: tuple[tuple[ModelDescription | None, ModelDescription | None], ...]


SeveralEvent = Recalled | Progress | Update | FinishedEach


async def several_job(
    works: Sequence[Work],
    engine: EngineClient,
    *,
    saved: SavedResults | None = None,
    cache: OutcomeCache | None = None,
) -> AsyncGenerator[SeveralEvent, None]:
    """As `scoring_job`, for works on one transcript under pairs that differ in their aligned model alone.

    The engine is asked once for all pairs that miss the same responses, which is mostly all that miss any. An Update
    tells its pair by its key. Raises ValueError for works that have more between them than their aligned models.
    """
    _check_alike(works)
    stored = [await recall(work, saved, cache) for work in works]
    yield Recalled()
    described: list[tuple[ModelDescription | None, ModelDescription | None] | None] = [None] * len(works)
    done_before, asked = 0.0, _groups(works)
    for places, numbers in asked:
        async with aclosing(
            _score(places, [works[i] for i in numbers], [stored[i] for i in numbers], engine, saved, cache)
        ) as found:
            async for event in found:
                if isinstance(event, Progress):
                    yield msgspec.structs.replace(event, fraction=(done_before + event.fraction) / len(asked))
                elif isinstance(event, Done):
                    for number, aligned in zip(numbers, (event.aligned, *event.also), strict=True):
                        described[number] = event.base, aligned
                else:
                    yield event
        done_before += 1
    for number, results in enumerate(stored):
        told = described[number]
        if told is not None and results is not None and saved is not None:
            saved.note_descriptions(results, *told)
        elif told is None and results is not None:
            described[number] = await asyncio.to_thread(results.descriptions)
    yield FinishedEach(tuple(each or (None, None) for each in described))


async def _score(
    places: Sequence[int],
    works: Sequence[Work],
    stored: Sequence[PairResults | None],
    engine: EngineClient,
    saved: SavedResults | None,
    cache: OutcomeCache | None,
) -> AsyncGenerator[Progress | Update | Done, None]:
    """Have the responses at these places scored under several pairs, which all miss them."""
    first = works[0]
    request = ScoreSeveral(
        pair=first.pair,
        also=tuple(work.pair.aligned for work in works[1:]),
        options=first.options,
        responses=tuple(first.requests[at] for at in places),
    )
    async with aclosing(engine.run(request)) as events:
        async for event in events:
            if isinstance(event, (Progress, Done)):
                yield event
                continue
            work, at = works[event.aligned], places[event.index]
            key = work.keys[at]
            result = work.results[key] = result_of(event)
            results = stored[event.aligned]
            if not result.partial:
                if cache is not None:
                    cache.put(key, result.outcome)
                if saved is not None and results is not None and isinstance(event, Scored):
                    note_scores(saved, results, work, key, work.requests[at], event)
            yield Update(key, result)


def _groups(works: Sequence[Work]) -> list[tuple[tuple[int, ...], list[int]]]:
    """The works that miss the same responses, by their places: what they miss, and which works these are."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number, work in enumerate(works):
        if wanted := work.wanted_at():
            found.setdefault(wanted, []).append(number)
    return list(found.items())


def _check_alike(works: Sequence[Work]) -> None:
    if not works:
        raise ValueError("no works")
    first = works[0]
    for work in works[1:]:
        if replace(work.pair, aligned=first.pair.aligned) != first.pair or work.options != first.options:
            raise ValueError("the pairs of these works differ in more than their aligned models")
        if work.transcript is not first.transcript:
            raise ValueError("these works are on different transcripts")

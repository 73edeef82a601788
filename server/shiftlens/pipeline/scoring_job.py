"""One job, from responses to scores: recall what is cached or stored, have the engine score the rest, store that.

The command line, Python, the editor's documents and its survey of closed files all do this job. What the scores mean
(`analysis.classify.build`) is for the caller to say, who shows some of them before the job is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Progress, Refused, Score, Scored
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.work import Work
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import ContentKey, OutcomeCache, Refusal, Result
from shiftlens.scores.pair_results import PairResults
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ResponseToScore

_RECALLED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Recalled:
    """All that was cached or stored is in `Work.results` now. Where responses are still wanted, the engine is next."""


@dataclass(frozen=True, slots=True)
class Update:
    """A content has a new result: scores of its first positions, of all, or why it can't be scored."""

    key: ContentKey
    result: Result


@dataclass(frozen=True, slots=True)
class Finished:
    """All that was wanted has a result. What base and aligned model are, as far as that is known."""

    base: ModelDescription | None = None
    aligned: ModelDescription | None = None


JobEvent = Recalled | Progress | Update | Finished


async def scoring_job(
    work: Work,
    engine: EngineClient | None,
    *,
    saved: SavedResults | None = None,
    cache: OutcomeCache | None = None,
    beside: Mapping[bytes, ScoredResponse] | None = None,
) -> AsyncGenerator[JobEvent, None]:
    """Do the job; `work.results` has each thing before its event. Recalled comes first, Finished last.

    `cache` holds outcomes in memory, `saved` those on disk: without one of them it is not looked at and nothing is put
    there. `beside` are the scores of a file beside the transcript, by the digest of what was asked, which stay there
    alone. Without an engine, nothing is scored. What was scored is noted in `saved`, whose `write` puts it on the disk.

    A caller that stops after Recalled asks no engine; closing the generator (use `contextlib.aclosing`) cancels the job
    in the engine. Raises ModelError, ScoringError and EngineError as the engine does.
    """
    stored = await recall(work, saved, cache, beside)
    yield Recalled()
    done: Done | None = None
    wanted = work.wanted()
    if engine is not None and wanted:
        keys = tuple(wanted)
        request = Score(pair=work.pair, options=work.options, responses=tuple(wanted.values()), document=work.document)
        async with aclosing(engine.run(request)) as events:
            async for event in events:
                if isinstance(event, Progress):
                    yield event
                elif isinstance(event, Done):
                    done = event
                else:
                    key = keys[event.index]
                    result = work.results[key] = result_of(event)
                    if not result.partial:
                        if cache is not None:
                            cache.put(key, result.outcome)
                        if saved is not None and stored is not None and isinstance(event, Scored):
                            note_scores(saved, stored, work, key, wanted[key], event)
                    yield Update(key, result)
    if done is not None:
        if saved is not None and stored is not None:
            saved.note_descriptions(stored, done.base, done.aligned)
        yield Finished(done.base, done.aligned)
    else:
        yield Finished(*(await asyncio.to_thread(stored.descriptions) if stored is not None else (None, None)))


def result_of(event: Scored | Refused) -> Result:
    """The result of a content that an event brings."""
    if isinstance(event, Scored):
        return Result(event.scored, partial=event.partial)
    return Result(Refusal(event.problem, event.remedy))


async def recall(
    work: Work,
    saved: SavedResults | None,
    cache: OutcomeCache | None,
    beside: Mapping[bytes, ScoredResponse] | None = None,
) -> PairResults | None:
    """Take results from memory, those that are not there from the disk, and the rest from the file beside the
    transcript; what is stored of the pair, if read."""
    stored = await _recall_own(work, saved, cache)
    if beside:
        for at, key in enumerate(work.keys):
            scores = None if key in work.results else beside.get(work.requests.digest(at))
            if scores is not None:
                work.results[key] = Result(scores)
                work.from_sidecar.add(key)
    return stored


async def _recall_own(work: Work, saved: SavedResults | None, cache: OutcomeCache | None) -> PairResults | None:
    if cache is not None:
        for key in work.keys:
            outcome = cache.get(key)
            if outcome is not None:
                work.results[key] = Result(outcome)
    if saved is None or not work.is_missing_any:
        return None
    stored: PairResults | None = None
    missing = iter(work.missing().items())
    # By portions: where the work puts scores aside, no more of them than these are in memory at a time.
    while portion := dict(islice(missing, _RECALLED_AT_ONCE)):
        stored, found = await saved.recall(work.pair, work.options, portion)
        for key, scored in found.items():
            if cache is not None:
                cache.put(key, scored)
            work.results[key] = Result(scored)
    return stored


def note_scores(
    saved: SavedResults, stored: PairResults, work: Work, key: ContentKey, request: ResponseToScore, event: Scored
) -> None:
    """Have the scores of one content written, if they are of the models as their files are now."""
    # The engine may hold models whose files have changed since it loaded them.
    if stored.are_of(event.scored):
        saved.note(key, stored.key(work.options, request, event.matrix_library))

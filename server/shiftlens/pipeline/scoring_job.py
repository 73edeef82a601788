"""One job, from what is to be scored to scores: recall what is known, have the engine score the rest, keep the results.

The command line, Python, the editor's documents and its survey of closed files all do this job. What the scores mean
(`analysis.classify.build`) is for the caller to say, who shows some of them before the job is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Progress, Refused, Score, Scored
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.work import Work
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import ContentKey, Known, OutcomeCache, Refusal
from shiftlens.scores.pair_results import PairResults
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ResponseToScore


@dataclass(frozen=True, slots=True)
class Recalled:
    """All that was known before is in `Work.known` now. Where responses are still wanted, the engine is asked next."""


@dataclass(frozen=True, slots=True)
class Update:
    """Something new is known of a content: its first rows, all of them, or why it can't be scored."""

    key: ContentKey
    known: Known


@dataclass(frozen=True, slots=True)
class Finished:
    """All that was wanted is known. What base and aligned model are, as far as that is known."""

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
    """Do the job; `work.known` has each thing before its event. Recalled comes first, Finished last.

    `cache` holds outcomes in memory, `saved` those on disk: without one of them it is not looked at and nothing is kept
    there. `beside` are the scores of a file beside the transcript, by the digest of what was asked, which stay there
    alone. Without an engine, nothing is scored. What was scored is noted in `saved`, whose `write` puts it on the disk.

    A caller that stops after Recalled asks no engine; closing the generator (use `contextlib.aclosing`) cancels the job
    in the engine. Raises ModelError, ScoringError and EngineError as the engine does.
    """
    kept = await recall(work, saved, cache, beside)
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
                    known = work.known[key] = known_of(event)
                    if not known.partial:
                        if cache is not None:
                            cache.put(key, known.outcome)
                        if saved is not None and kept is not None and isinstance(event, Scored):
                            note_scores(saved, kept, work, key, wanted[key], event)
                    yield Update(key, known)
    if done is not None:
        if saved is not None and kept is not None:
            saved.note_descriptions(kept, done.base, done.aligned)
        yield Finished(done.base, done.aligned)
    else:
        yield Finished(*(await asyncio.to_thread(kept.descriptions) if kept is not None else (None, None)))


def known_of(event: Scored | Refused) -> Known:
    """What an event tells of a content."""
    if isinstance(event, Scored):
        return Known(event.scored, partial=event.partial)
    return Known(Refusal(event.problem, event.remedy))


async def recall(
    work: Work,
    saved: SavedResults | None,
    cache: OutcomeCache | None,
    beside: Mapping[bytes, ScoredResponse] | None = None,
) -> PairResults | None:
    """Take what is known from memory, from the disk what is not, and the rest from the file beside the transcript. The
    results on disk, where they were looked at."""
    kept = await _recall_own(work, saved, cache)
    if beside:
        for at, key in enumerate(work.keys):
            known = None if key in work.known else beside.get(work.requests.digest(at))
            if known is not None:
                work.known[key] = Known(known)
                work.from_sidecar.add(key)
    return kept


async def _recall_own(work: Work, saved: SavedResults | None, cache: OutcomeCache | None) -> PairResults | None:
    if cache is not None:
        for key in work.keys:
            outcome = cache.get(key)
            if outcome is not None:
                work.known[key] = Known(outcome)
    if saved is None or not work.is_missing_any:
        return None
    kept, found = await saved.recall(work.pair, work.options, work.missing())
    for key, scored in found.items():
        if cache is not None:
            cache.put(key, scored)
        work.known[key] = Known(scored)
    return kept


def note_scores(
    saved: SavedResults, kept: PairResults, work: Work, key: ContentKey, request: ResponseToScore, event: Scored
) -> None:
    """Have the scores of one content written, if they are of the models as their files are now."""
    # The engine may hold models whose files have changed since it loaded them.
    if kept.are_of(event.scored):
        saved.note(key, kept.key(work.options, request, event.matrix_library))

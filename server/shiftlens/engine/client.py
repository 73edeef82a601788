"""The client of engines: finds or starts one, sends jobs, and yields the events of each.

An engine starts with the first job, and is shared with every client of this user that runs the same program in the
same environment, whatever pair it asks for. When it dies, the jobs in flight fail with an EngineError and the next job
starts a new one. No torch here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar, overload

import msgspec

from shiftlens.engine.installed import why_no_models
from shiftlens.engine.job_events import JobEvents
from shiftlens.engine.linking import Links, Sharing
from shiftlens.engine.links import EngineLeft, Link
from shiftlens.engine.protocol import (
    MAX_FRAME_BYTES,
    Answer,
    Began,
    Cancel,
    Continue,
    Describe,
    Described,
    Done,
    Event,
    Forget,
    Job,
    Progress,
    Rank,
    Ranked,
    Refused,
    ResponseToScore,
    Score,
    Scored,
    ScoreSeveral,
    Unload,
    Wrote,
)
from shiftlens.engine.sharing.naming import as_named, deciding_pair, located_job
from shiftlens.errors import EngineError, ScoringError
from shiftlens.options.pair import DEFAULT_IDLE_MINUTES, PairSpec
from shiftlens.scores.continuations import check_asked, check_position
from shiftlens.scores.requests import least_bytes

__all__ = ["EngineClient", "Sharing"]

_E = TypeVar("_E", bound=Event)

_TRIES = 5
_UNLOAD_SECONDS = 5.0


class EngineClient:
    """Asks engines to do jobs, of any pair, any number at a time. Use it from one event loop.

    `on_log` gets the engine's stderr by lines, `idle_minutes` is how long a shared engine keeps its models
    without work while clients stay, 0 for ever. Both `sharing` and `idle_minutes` may be changed at any time.
    `background` says that jobs are asked for by an editor, not by a user who waits: see `worker.urgency`.
    """

    def __init__(
        self,
        *,
        sharing: Sharing = Sharing.SHARED,
        idle_minutes: float = DEFAULT_IDLE_MINUTES,
        on_log: Callable[[str], None] | None = None,
        background: bool = False,
    ) -> None:
        self._links = Links(
            sharing=sharing,
            idle_seconds=60 * idle_minutes,
            on_log=on_log or (lambda _: None),
            background=background,
        )
        self._next_job = 0

    @property
    def sharing(self) -> Sharing:
        return self._links.sharing

    @sharing.setter
    def sharing(self, sharing: Sharing) -> None:
        self._links.sharing = sharing

    @property
    def idle_minutes(self) -> float:
        return self._links.idle_seconds / 60

    @idle_minutes.setter
    def idle_minutes(self, minutes: float) -> None:
        self._links.idle_seconds = 60 * minutes

    @property
    def pid(self) -> int | None:
        """Process id of the engine that got the last job, None while it does not run."""
        return self._links.pid

    @overload
    def run(self, request: Score | ScoreSeveral) -> AsyncGenerator[Progress | Scored | Refused | Done, None]: ...
    @overload
    def run(self, request: Describe) -> AsyncGenerator[Progress | Described, None]: ...
    @overload
    def run(self, request: Continue) -> AsyncGenerator[Progress | Began | Wrote | Done, None]: ...
    @overload
    def run(self, request: Rank) -> AsyncGenerator[Progress | Ranked, None]: ...
    async def run(self, request: Job) -> AsyncGenerator[Event | Answer, None]:
        """Do a job: yields its events as they come, the answer last. `job` and `client` of the request are set here.

        Closing the generator, or cancelling the task that waits for its next event, cancels the job; use
        `contextlib.aclosing` where the loop over it may end early. Raises ModelError when the pair can't be used,
        ScoringError when nothing can be scored, EngineError when the process does not start or ends early.
        """
        if isinstance(request, (Continue, Rank)):
            # Numbers that no frame holds are refused in words here.
            check_position(request.position)
        if isinstance(request, Continue):
            check_asked(request.voices, request.sampling)
        if (missing := why_no_models()) is not None:
            raise missing
        if least_bytes(_responses_of(request)) > MAX_FRAME_BYTES:
            # The size is estimated, since encoding such a request would fill the memory.
            raise _too_much()
        sent = located_job(msgspec.structs.replace(request, job=self._new_job()))
        for _ in range(_TRIES):
            link = await self._linked(deciding_pair(sent))
            try:
                async with aclosing(_events(link, sent)) as events:
                    async for event in events:
                        yield as_named(event, request) if isinstance(event, Answer) else event
            except EngineLeft:
                continue
            return
        raise EngineError("The engine ended each time before it was asked.", "Ask again.")

    async def describe(self, pair: PairSpec, *, on_progress: Callable[[Progress], None] | None = None) -> Described:
        """Load a pair and say what it is. Raises ModelError, EngineError."""
        async with aclosing(self.run(Describe(pair=pair))) as events:
            async for event in events:
                if isinstance(event, Described):
                    return event
                _tell(on_progress, event)
        raise EngineError("The engine ended a job without an answer.", "This is a fault of ShiftLens.")

    async def rank(self, request: Rank, *, on_progress: Callable[[Progress], None] | None = None) -> Ranked:
        """`run` of a Rank. Raises ModelError, ScoringError, EngineError."""
        async with aclosing(self.run(request)) as events:
            async for event in events:
                if isinstance(event, Ranked):
                    return event
                _tell(on_progress, event)
        raise EngineError("The engine ended a job without an answer.", "This is a fault of ShiftLens.")

    def forget(self, document: str) -> None:
        """Have the engine drop the passes that it remembers of the document with this name."""
        for link in self._links.open_links():
            link.post(Forget(document=document))

    async def unload(self) -> bool:
        """Give the models' memory back by ending the engine, for all who share it; the next job starts another.

        Ended are the engines that this client uses or could share, whoever has started them. False where there is none.
        Raises EngineError where one does not answer: its models are still loaded.
        """
        others, silent = await self._links.to_others_that_run(_UNLOAD_SECONDS)
        found = [*self._links.open_links(), *others]
        try:
            for link in found:
                try:
                    await asyncio.wait_for(_answered(_events(link, Unload(job=self._new_job()))), _UNLOAD_SECONDS)
                except asyncio.TimeoutError:
                    # An engine of our own is ended by leaving it, whether it answers or not.
                    silent = link.unanswered() or silent
                    await self._links.drop(link)
                except (EngineError, EngineLeft):
                    # It has gone already.
                    continue
        finally:
            await asyncio.gather(*(link.close(release=True) for link in others))
        await self._links.leave(release=True)
        if silent is not None:
            raise silent
        return bool(found)

    async def close(self, *, release: bool = False) -> None:
        """Leave the engine. One of our own ends, a shared one goes on for its other clients.

        With `release` a shared one that has no other client ends at once; else its models stay loaded for a while.
        """
        await self._links.leave(release=release)

    def kill(self) -> None:
        """Stop the engine without asking, for all who share it. Jobs in flight fail with an EngineError."""
        self._links.kill()

    async def _linked(self, pair: PairSpec) -> Link:
        return await self._links.to_engine_of(pair)

    def _new_job(self) -> int:
        self._next_job += 1
        return self._next_job


async def _events(link: Link, request: Job | Unload) -> AsyncGenerator[Event | Answer, None]:
    """What an engine says of a job, the answer last; closing this cancels the job. Raises EngineLeft beside errors."""
    if not link.is_open:
        # The engine ended after the link was opened, and would never answer.
        raise EngineLeft
    events = link.jobs[request.job] = JobEvents()
    try:
        try:
            await link.send(request)
        except ValueError:
            events.fail(_too_much())
        while True:
            event = await events.next()
            yield event
            if isinstance(event, Answer):
                return
    finally:
        link.jobs.pop(request.job, None)
        if not events.is_over and link.is_open:
            link.post(Cancel(job=request.job))


async def _answered(events: AsyncGenerator[Event | Answer, None]) -> None:
    """Wait for the answer alone."""
    async with aclosing(events):
        async for _ in events:
            pass


def _responses_of(request: Job) -> tuple[ResponseToScore, ...]:
    if isinstance(request, (Score, ScoreSeveral)):
        return request.responses
    return () if isinstance(request, Describe) else (request.response,)


def _tell(listener: Callable[[_E], None] | None, event: _E) -> None:
    if listener is not None:
        listener(event)


def _too_much() -> ScoringError:
    return ScoringError(
        "There is too much text to score in one go: each response is sent with all that came before it.",
        "Score some of the responses at a time (in an editor, select them), or split the file.",
    )

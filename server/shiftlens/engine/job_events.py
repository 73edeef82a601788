"""The events of a job while it is under way, in the order in which the engine sent them."""

from __future__ import annotations

import asyncio

from shiftlens.engine.protocol import Answer, Cancelled, Event, Failed, Reply
from shiftlens.errors import EngineError, ModelError, ScoringError, ShiftLensError

_ERRORS: dict[str, type[ShiftLensError]] = {"ModelError": ModelError, "ScoringError": ScoringError}


class JobEvents:
    """The events of one job that are not read yet. They are queued, so that a slow reader does not slow the engine."""

    def __init__(self) -> None:
        self._unread: asyncio.Queue[Event | Answer | Exception] = asyncio.Queue()
        self.is_over = False
        """Whether the engine has said its last word about the job, or has ended."""

    def deliver(self, reply: Reply) -> None:
        """Queue a reply of the engine to this job."""
        if self.is_over:
            return
        if isinstance(reply, Event):
            self._unread.put_nowait(reply)
        elif isinstance(reply, Answer):
            self.is_over = True
            self._unread.put_nowait(reply)
        elif isinstance(reply, Failed):
            self.fail(_ERRORS.get(reply.kind, EngineError)(reply.problem, reply.remedy))
        elif isinstance(reply, Cancelled):
            # A caller that cancels a job reads no more of its events.
            self.fail(EngineError("The engine gave up a job that nobody had cancelled.", "Ask again."))

    def fail(self, error: Exception) -> None:
        """End the job with an error, which is raised once all events before it were read."""
        if not self.is_over:
            self.is_over = True
            self._unread.put_nowait(error)

    async def next(self) -> Event | Answer:
        """The next event; the answer is the last. Raises the error that ended the job instead."""
        found = await self._unread.get()
        if isinstance(found, Exception):
            raise found
        return found

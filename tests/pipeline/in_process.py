"""A client whose engine is in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from engine.doing import do
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Answer, Event, Failed, Job, Reply
from shiftlens.engine.worker.jobs import Worker
from shiftlens.errors import ScoringError
from shiftlens.scoring.session import Session


class InProcess(EngineClient):
    """Does jobs in this process, and keeps what it was asked. With a session, models stay loaded between them."""

    def __init__(self, session: Session | None = None) -> None:
        super().__init__()
        self.asked: list[Job] = []
        self._session = session

    async def run(self, request: Job) -> AsyncGenerator[Event | Answer, None]:  # type: ignore[override]
        self.asked.append(request)
        replies: list[Reply] = []
        do(Worker(replies.append, lambda _job: False, self._session), request)
        for reply in replies:
            if isinstance(reply, Failed) and reply.kind == "ScoringError":
                raise ScoringError(reply.problem, reply.remedy)
            assert isinstance(reply, (Event, Answer)), reply
            yield reply

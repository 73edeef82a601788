"""A client of an engine that is in this process, for tests that choose how patient it is with servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shiftlens.engine.client import EngineClient
from shiftlens.engine.links import Link
from shiftlens.engine.protocol import Cancel, Reply, Request
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.session import Session


class WorkerLink(Link):
    """Does jobs in steps between which the loop goes on. `on_reply` gets each reply before its job does."""

    def __init__(self, session: Session, on_reply: Callable[[Reply], None]) -> None:
        super().__init__()
        self._on_reply = on_reply
        self._cancelled: set[int] = set()
        self._worker = Worker(self._reply, self._cancelled.__contains__, session)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_open(self) -> bool:
        return True

    @property
    def pid(self) -> int | None:
        return None

    async def send(self, request: Request) -> None:
        self._tasks.append(asyncio.create_task(self._do(request)))

    def post(self, request: Request) -> None:
        if isinstance(request, Cancel):
            self._cancelled.add(request.job)

    async def close(self, *, release: bool = False) -> None:  # noqa: ARG002 (nothing is kept)
        await asyncio.gather(*self._tasks)

    def _reply(self, reply: Reply) -> None:
        self._on_reply(reply)
        self._deliver(reply)

    async def _do(self, request: Request) -> None:
        assert not isinstance(request, Cancel)
        for _ in self._worker.steps(request):
            await asyncio.sleep(0)


class ClientOfHere(EngineClient):
    """Has its jobs done by a worker in this process."""

    def __init__(self, session: Session, on_reply: Callable[[Reply], None] = lambda _: None) -> None:
        super().__init__()
        self.link = WorkerLink(session, on_reply)

    async def _linked(self, pair: PairSpec) -> Link:  # noqa: ARG002 (there is one for all)
        return self.link

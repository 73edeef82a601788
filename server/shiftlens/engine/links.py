"""Ways to an engine process: the protocol of a link, and the link to a process of one's own."""

from __future__ import annotations

import contextlib
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable

from shiftlens.engine.job_events import JobEvents
from shiftlens.engine.protocol import Reply, Request
from shiftlens.engine.worker_process import WorkerProcess
from shiftlens.errors import EngineError


class EngineLeft(Exception):
    """The engine ended in order before it looked at a job: another one can be asked the same."""


class Link(ABC):
    """One engine, as long as it lives. Use it from one event loop; `jobs` are those in flight, by their numbers."""

    def __init__(self) -> None:
        self.jobs: dict[int, JobEvents] = {}

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether jobs can be sent."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Process id of the engine, None where it has ended."""

    @abstractmethod
    async def send(self, request: Request) -> None:
        """Raises ValueError for a request that is too large."""

    @abstractmethod
    def post(self, request: Request) -> None:
        """Send without waiting."""

    @abstractmethod
    async def close(self, *, release: bool = False) -> None:
        """Leave the engine. With `release`, models that nobody else uses are out of memory when this returns."""

    def allow_idle(self, seconds: float) -> None:  # noqa: B027 (an engine of one's own ends with its client)
        """Say how long the engine may keep its models without work, 0 for ever."""

    def unanswered(self) -> EngineError | None:
        """What to say where the engine does not answer, None where leaving it ends it."""
        return None

    def kill(self) -> None:
        """Stop the engine process without asking."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    def _deliver(self, reply: Reply) -> None:
        job = self.jobs.get(reply.job)
        if job is not None:
            job.deliver(reply)

    def _fail_jobs(self, error: Exception) -> None:
        for job in list(self.jobs.values()):
            job.fail(error)


class OwnEngine(Link):
    """A child process that ends with its client."""

    def __init__(self) -> None:
        super().__init__()
        self._process: WorkerProcess | None = None

    @classmethod
    async def start(cls, on_log: Callable[[str], None], *, less_urgent: bool = False) -> OwnEngine:
        """Raises EngineError."""
        link = cls()
        link._process = await WorkerProcess.start(link._deliver, on_log, link._fail_jobs, less_urgent=less_urgent)
        return link

    @property
    def is_open(self) -> bool:
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def send(self, request: Request) -> None:
        if self._process is not None:
            await self._process.send(request)

    def post(self, request: Request) -> None:
        if self._process is not None:
            self._process.write(request)

    async def close(self, *, release: bool = False) -> None:  # noqa: ARG002 (it ends either way)
        if self._process is not None:
            await self._process.close()

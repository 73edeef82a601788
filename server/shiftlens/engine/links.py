"""Ways to an engine: a process of one's own, or one that is shared. Jobs in flight belong to a link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from shiftlens.engine.protocol import (
    Cancelled,
    Described,
    Done,
    Failed,
    Progress,
    Refused,
    Reply,
    Request,
    Scored,
)
from shiftlens.engine.sharing.host_protocol import (
    MAX_REQUEST_BYTES,
    EngineProcess,
    FromHost,
    Goodbye,
    Hello,
    Leaving,
    Logged,
    Move,
    Moved,
    Running,
    Welcome,
)
from shiftlens.engine.sharing.joining import Connection, no_answer
from shiftlens.engine.sharing.place import Place
from shiftlens.engine.worker_process import STDERR_LINES_SHOWN, WorkerProcess, ended
from shiftlens.errors import EngineError, ModelError, ScoringError, ShiftLensError
from shiftlens.options.pair import PairSpec

_ERRORS: dict[str, type[ShiftLensError]] = {"ModelError": ModelError, "ScoringError": ScoringError}
_RELEASE_SECONDS = 5.0
_MOVE_SECONDS = 10.0


class EngineLeft(Exception):
    """The engine ended in order before it looked at a job: another one can be asked the same."""


@dataclass(slots=True)
class Job:
    """A request in flight and who listens to it."""

    answer: asyncio.Future[Done | Described]
    on_progress: Callable[[Progress], None] | None = None
    on_scored: Callable[[Scored], None] | None = None
    on_refused: Callable[[Refused], None] | None = None

    def deliver(self, reply: Reply) -> None:
        if self.answer.done():
            return
        if isinstance(reply, Progress):
            if self.on_progress is not None:
                self.on_progress(reply)
        elif isinstance(reply, Scored):
            if self.on_scored is not None:
                self.on_scored(reply)
        elif isinstance(reply, Refused):
            if self.on_refused is not None:
                self.on_refused(reply)
        elif isinstance(reply, Failed):
            self.answer.set_exception(_ERRORS.get(reply.kind, EngineError)(reply.problem, reply.remedy))
        elif isinstance(reply, Cancelled):
            self.answer.cancel()
        elif isinstance(reply, (Done, Described)):
            self.answer.set_result(reply)


class Link(ABC):
    """One engine, as long as it lives. Use it from one event loop; `jobs` go by their number."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}

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

    def wish(self, idle_seconds: float) -> None:  # noqa: B027 (an engine of one's own ends with its client)
        """How long the engine may be idle, 0 for ever."""

    async def move(self, place: Place, pair: PairSpec) -> bool:  # noqa: ARG002
        """Have a shared engine go on as that of another pair, which others find at `place`; False where it does not."""
        return False

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
            if not job.answer.done():
                job.answer.set_exception(error)


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


class SharedEngine(Link):
    """A connection to the host of an engine that other clients use too."""

    def __init__(
        self,
        connection: Connection,
        place: Place,
        hello: Hello,
        on_log: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._connection = connection
        self._place = place
        self._hello = hello
        self._on_log = on_log
        self._pid: int | None = None
        self._is_open = True
        self._in_order = False
        self._moving: asyncio.Future[bool] | None = None
        self._reading = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def pid(self) -> int | None:
        return self._pid if self._is_open else None

    async def send(self, request: Request) -> None:
        self._connection.post(request, MAX_REQUEST_BYTES)
        # The reader sees the same end and fails the job with the reason.
        with contextlib.suppress(OSError):
            await self._connection.writer.drain()

    def post(self, request: Request) -> None:
        self._connection.post(request)

    def wish(self, idle_seconds: float) -> None:
        if idle_seconds != self._hello.idle_seconds:
            self._hello = msgspec.structs.replace(self._hello, idle_seconds=idle_seconds)
            self._connection.post(self._hello)

    async def move(self, place: Place, pair: PairSpec) -> bool:
        if place.folder != self._place.folder or not self._is_open:
            return False
        self._moving = asyncio.get_running_loop().create_future()
        self._connection.post(Move(place=place.name, pair=pair))
        try:
            moved = await asyncio.wait_for(self._moving, _MOVE_SECONDS)
        except asyncio.TimeoutError:
            return False
        if moved:
            self._place = place
            self._hello = msgspec.structs.replace(self._hello, place=place.name)
        return moved and self._is_open

    def unanswered(self) -> EngineError | None:
        return no_answer(self._place)

    async def close(self, *, release: bool = False) -> None:
        self._is_open = False
        self._connection.post(Goodbye(release=release))
        if release:
            await asyncio.wait((self._reading,), timeout=_RELEASE_SECONDS)
        self._connection.writer.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._fail_jobs(ended("", "It was left.", []))

    async def _read(self) -> None:
        try:
            while True:
                self._hear(await self._connection.receive())
        except (asyncio.IncompleteReadError, OSError):
            why = ""
        except (ValueError, msgspec.DecodeError) as error:
            why = f"It wrote something that is no reply ({error})."
        self._is_open = False
        self._connection.writer.close()
        self._has_moved(done=False)
        if self._in_order:
            self._fail_jobs(EngineLeft())
        elif self.jobs:
            self._fail_jobs(ended("", why, self._place.last_lines(STDERR_LINES_SHOWN)))

    def _hear(self, message: FromHost) -> None:
        if isinstance(message, EngineProcess):
            self._pid = message.pid
        elif isinstance(message, Logged):
            self._on_log(message.line)
        elif isinstance(message, Moved):
            self._has_moved(done=message.done)
        elif isinstance(message, Leaving):
            # Not open for new jobs from now on; those that were answered before this are.
            self._in_order = True
            self._is_open = False
        elif not isinstance(message, (Welcome, Running)):
            self._deliver(message)

    def _has_moved(self, *, done: bool) -> None:
        if self._moving is not None and not self._moving.done():
            self._moving.set_result(done)

"""The engine process below a host, and the jobs that several clients have there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import msgspec

from shiftlens.engine.protocol import Answer, Cancel, Cancelled, Failed, Forget, Job, MemoryReport, Progress, Reply
from shiftlens.engine.sharing.host_protocol import EngineProcess, Logged
from shiftlens.engine.sharing.session import Session
from shiftlens.engine.worker.urgency import make_less_urgent
from shiftlens.engine.worker_process import WorkerProcess
from shiftlens.errors import EngineError

_NOTHING_IN_MEMORY = MemoryReport(kv_bytes=0, cuda_bytes=0)


class SharedWorker:
    """Gives each job of a client a number of its own, and each reply the client's number back.

    Kinds of jobs and events are not told apart: they pass as they are, and a job is over with its Answer, Cancelled or
    Failed. `tell_all` takes news for every client, `on_over` is called after each job.
    """

    def __init__(
        self, tell_all: Callable[[EngineProcess | Logged], None], on_over: Callable[[], None], *, less_urgent: bool
    ) -> None:
        self._tell_all = tell_all
        self._on_over = on_over
        self._less_urgent = less_urgent
        self._jobs: dict[int, tuple[Session, int]] = {}
        self._numbers = itertools.count(1)
        self._process: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self.memory = _NOTHING_IN_MEMORY

    @property
    def pid(self) -> int | None:
        """None while no process runs."""
        return self._process.pid if self._process is not None else None

    @property
    def jobs(self) -> int:
        """How many are under way, of all clients."""
        return len(self._jobs)

    async def started(self) -> WorkerProcess:
        """The process, started if none runs. Raises EngineError."""
        async with self._starting:
            if self._process is None or self._process.pid is None:
                self._process = await WorkerProcess.start(
                    self._on_reply, self._on_line, self._on_end, less_urgent=self._less_urgent
                )
                self._tell_all(EngineProcess(pid=self._process.pid))
            return self._process

    def settle_urgency(self, *, less: bool) -> None:
        """Start processes with this urgency from now on; the one that runs can only become less urgent."""
        self._less_urgent = less
        if less and self.pid is not None:
            make_less_urgent(self.pid)

    async def run(self, session: Session, request: Job) -> None:
        """Pass a job on. A process has to run."""
        if any(other is not session for other, _ in self._jobs.values()):
            message = "Waiting for its turn: the engine works for another window"
            session.send(Progress(job=request.job, phase="loading", fraction=0.0, message=message))
        number = next(self._numbers)
        self._jobs[number] = session, request.job
        session.jobs[request.job] = number
        if self._process is not None:
            await self._process.send(msgspec.structs.replace(request, job=number, client=session.number))

    def cancel(self, session: Session, job: int) -> None:
        """Stop a job of this session; what is not one of its jobs is left alone."""
        number = session.jobs.get(job)
        if number is not None and self._process is not None:
            self._process.write(Cancel(job=number))

    def forget(self, session: Session, document: str | None) -> None:
        """Drop the passes remembered of a document of this session; of all its documents with None."""
        if self._process is not None:
            self._process.write(Forget(document=document, client=session.number))

    def drop(self, session: Session) -> None:
        """Cancel the jobs of a client that has gone; nothing more is sent about them."""
        for job, number in session.jobs.items():
            self.cancel(session, job)
            self._jobs.pop(number, None)
        session.jobs.clear()

    def fail_all(self, error: EngineError) -> None:
        """End every job with this error."""
        for number, (session, job) in list(self._jobs.items()):
            self._over(number)
            session.send(failed(job, error))

    async def close(self) -> None:
        """End the process: its memory is free when this returns."""
        if self._process is not None:
            await self._process.close()

    def _on_reply(self, reply: Reply) -> None:
        if isinstance(reply, MemoryReport):
            self.memory = reply
            return
        session, job = self._jobs.get(reply.job, (None, 0))
        if session is None:
            return
        if isinstance(reply, (Answer, Cancelled, Failed)):
            self._over(reply.job)
        session.send(msgspec.structs.replace(reply, job=job))

    def _on_line(self, line: str) -> None:
        self._tell_all(Logged(line=line))

    def _on_end(self, error: EngineError) -> None:
        """The process has ended, whether it was told to or not."""
        self._tell_all(EngineProcess(pid=None))
        self.fail_all(error)
        self.memory = _NOTHING_IN_MEMORY

    def _over(self, number: int) -> None:
        session, job = self._jobs.pop(number)
        session.jobs.pop(job, None)
        self._on_over()


def failed(job: int, error: EngineError) -> Failed:
    """What a client is told of a job that this error ended."""
    return Failed(job=job, kind="EngineError", problem=error.problem, remedy=error.remedy)

"""The light side of the engine: starts the process, sends jobs, hands out replies.

The process starts with the first job. When it dies, the jobs in flight fail with an EngineError and the next job
starts a new one. No torch here.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from shiftlens.engine.frames import HEADER_BYTES, body_length, decode_reply, encode_frame
from shiftlens.engine.protocol import (
    Cancel,
    Cancelled,
    Describe,
    Described,
    Done,
    Failed,
    Progress,
    Refused,
    Reply,
    Request,
    ResponseToScore,
    Score,
    Scored,
    Unload,
)
from shiftlens.errors import EngineError, ModelError, ScoringError, ShiftLensError
from shiftlens.models.pair import PairSpec, ScoreOptions

_STDERR_LINES_KEPT = 20
_STDERR_LINES_SHOWN = 3
_GOODBYE_SECONDS = 0.5
_STREAM_LIMIT_BYTES = 1 << 20

_ERRORS: dict[str, type[ShiftLensError]] = {"ModelError": ModelError, "ScoringError": ScoringError}


@dataclass(slots=True)
class _Job:
    """A request in flight and who listens to it."""

    answer: asyncio.Future[Done | Described]
    on_progress: Callable[[Progress], None] | None = None
    on_scored: Callable[[Scored], None] | None = None
    on_refused: Callable[[Refused], None] | None = None


@dataclass(slots=True)
class _Running:
    """One life of the engine process, with the jobs it was given."""

    process: asyncio.subprocess.Process
    stderr_tail: deque[str] = field(default_factory=lambda: deque(maxlen=_STDERR_LINES_KEPT))
    jobs: dict[int, _Job] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class EngineClient:
    """Talks to one engine process. Use it from one event loop; `on_log` gets the engine's stderr by lines."""

    def __init__(self, *, on_log: Callable[[str], None] | None = None) -> None:
        self._on_log = on_log
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._next_job = 0

    @property
    def pid(self) -> int | None:
        """Process id of the engine, None while none runs."""
        if self._running is None or self._running.process.returncode is not None:
            return None
        return self._running.process.pid

    async def score(
        self,
        pair: PairSpec,
        options: ScoreOptions,
        responses: Sequence[ResponseToScore],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_scored: Callable[[Scored], None] | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> Done:
        """Score responses; the listeners hear of each as it comes.

        Cancelling the awaiting task cancels the job. Raises ModelError when the pair can't be used, ScoringError
        when nothing can be scored, EngineError when the process does not start or ends early.
        """
        job = self._new_job()
        request = Score(job=job, pair=pair, options=options, responses=tuple(responses))
        answer = await self._ask(request, on_progress, on_scored, on_refused)
        if not isinstance(answer, Done):
            raise EngineError(f"The engine answered a score request with {type(answer).__name__}.")
        return answer

    async def describe(self, pair: PairSpec, *, on_progress: Callable[[Progress], None] | None = None) -> Described:
        """Load a pair and say what it is. Raises ModelError, EngineError."""
        answer = await self._ask(Describe(job=self._new_job(), pair=pair), on_progress)
        if not isinstance(answer, Described):
            raise EngineError(f"The engine answered a describe request with {type(answer).__name__}.")
        return answer

    async def unload(self) -> None:
        """Give the models' memory back by ending the process; the next job starts another."""
        if self.pid is not None:
            await self._ask(Unload(job=self._new_job()))
        await self.close()

    async def close(self) -> None:
        """End the process: its input is closed, and it is killed if it does not go at once."""
        running, self._running = self._running, None
        if running is None:
            return
        process = running.process
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _GOODBYE_SECONDS)
            except asyncio.TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        await asyncio.gather(*running.tasks, return_exceptions=True)

    def kill(self) -> None:
        """Stop the process without asking. Jobs in flight fail with an EngineError."""
        if self._running is not None and self._running.process.returncode is None:
            self._running.process.kill()

    def _new_job(self) -> int:
        self._next_job += 1
        return self._next_job

    async def _ask(
        self,
        request: Score | Describe | Unload,
        on_progress: Callable[[Progress], None] | None = None,
        on_scored: Callable[[Scored], None] | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> Done | Described:
        running = await self._ensure_running()
        answer: asyncio.Future[Done | Described] = asyncio.get_running_loop().create_future()
        running.jobs[request.job] = _Job(answer, on_progress, on_scored, on_refused)
        try:
            await self._send(running, request)
            return await answer
        except asyncio.CancelledError:
            if running.process.returncode is None and not answer.done():
                _write(running, Cancel(job=request.job))
            raise
        finally:
            running.jobs.pop(request.job, None)

    async def _ensure_running(self) -> _Running:
        async with self._starting:
            if self._running is not None and self._running.process.returncode is None:
                return self._running
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "shiftlens.engine",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=_STREAM_LIMIT_BYTES,
                )
            except OSError as error:
                raise EngineError(
                    f"The engine process could not be started ({error.strerror or error}).",
                    "Run `shiftlens doctor` to see what is missing.",
                ) from error
            running = _Running(process)
            running.tasks = [
                asyncio.create_task(self._read_stderr(running)),
                asyncio.create_task(self._read_replies(running)),
            ]
            self._running = running
            return running

    async def _send(self, running: _Running, request: Request) -> None:
        try:
            _write(running, request)
            if running.process.stdin is not None:
                await running.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            # The reader sees the same end and fails the job with the reason.
            return

    async def _read_stderr(self, running: _Running) -> None:
        stream = running.process.stderr
        while stream is not None:
            try:
                raw = await stream.readline()
            except ValueError:
                continue
            if not raw:
                return
            line = raw.decode("utf-8", "replace").rstrip()
            if line:
                running.stderr_tail.append(line)
                if self._on_log is not None:
                    self._on_log(line)

    async def _read_replies(self, running: _Running) -> None:
        stream = running.process.stdout
        why = ""
        try:
            while stream is not None:
                length = body_length(await stream.readexactly(HEADER_BYTES))
                _deliver(running, decode_reply(await stream.readexactly(length)))
        except asyncio.IncompleteReadError:
            pass
        except (ValueError, msgspec.DecodeError) as error:
            why = f"It wrote something that is no reply ({error})."
            running.process.kill()
        finally:
            await self._fail_jobs(running, why)

    async def _fail_jobs(self, running: _Running, why: str) -> None:
        code = await running.process.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(running.tasks[0]), _GOODBYE_SECONDS)
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        last = " | ".join(list(running.stderr_tail)[-_STDERR_LINES_SHOWN:])
        problem = f"The engine process ended ({ended}) before it was done. {why}".strip()
        said = f" Its last lines: {last}" if last else ""
        for job in list(running.jobs.values()):
            if not job.answer.done():
                job.answer.set_exception(EngineError(problem, f"Ask again: a new engine starts by itself.{said}"))


def _write(running: _Running, request: Request) -> None:
    stdin = running.process.stdin
    if stdin is not None and not stdin.is_closing():
        stdin.write(encode_frame(request))


def _deliver(running: _Running, reply: Reply) -> None:
    job = running.jobs.get(reply.job)
    if job is None or job.answer.done():
        return
    if isinstance(reply, Progress):
        if job.on_progress is not None:
            job.on_progress(reply)
    elif isinstance(reply, Scored):
        if job.on_scored is not None:
            job.on_scored(reply)
    elif isinstance(reply, Refused):
        if job.on_refused is not None:
            job.on_refused(reply)
    elif isinstance(reply, Failed):
        job.answer.set_exception(_ERRORS.get(reply.kind, EngineError)(reply.problem, reply.remedy))
    elif isinstance(reply, Cancelled):
        job.answer.cancel()
    elif isinstance(reply, (Done, Described)):
        job.answer.set_result(reply)

"""The engine as a child process, spoken to over its standard input and output. No torch here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable

import msgspec

from shiftlens.engine.environment import LESS_URGENT, with_wait_policy
from shiftlens.engine.frames import decode_reply, encode_frame, read_body
from shiftlens.engine.protocol import Reply, Request
from shiftlens.errors import EngineError

_STDERR_LINES_KEPT = 20
STDERR_LINES_SHOWN = 3
_GOODBYE_SECONDS = 0.5
_STREAM_LIMIT_BYTES = 1 << 20


class WorkerProcess:
    """One life of the engine process. Use it from one event loop.

    `on_reply` gets each reply, `on_line` each line of its stderr, and `on_end` once, after the last reply, the error
    that unfinished jobs fail with.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        on_reply: Callable[[Reply], None],
        on_line: Callable[[str], None],
        on_end: Callable[[EngineError], None],
    ) -> None:
        self._process = process
        self._on_reply = on_reply
        self._on_line = on_line
        self._on_end = on_end
        self._last_lines: deque[str] = deque(maxlen=_STDERR_LINES_KEPT)
        self._stderr_task = asyncio.create_task(self._read_stderr())
        self._reply_task = asyncio.create_task(self._read_replies())

    @classmethod
    async def start(
        cls,
        on_reply: Callable[[Reply], None],
        on_line: Callable[[str], None],
        on_end: Callable[[EngineError], None],
        *,
        less_urgent: bool = False,
    ) -> WorkerProcess:
        """With `less_urgent` it makes way for other programs. Raises EngineError where no process can be started."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "shiftlens.engine",
                *([LESS_URGENT] if less_urgent else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_STREAM_LIMIT_BYTES,
                env=with_wait_policy(os.environ),
            )
        except OSError as error:
            raise not_started(error.strerror or str(error)) from error
        return cls(process, on_reply, on_line, on_end)

    @property
    def pid(self) -> int | None:
        """None once the process has ended."""
        return self._process.pid if self._process.returncode is None else None

    def write(self, request: Request) -> None:
        """Send without waiting; what a process that has ended is sent goes nowhere."""
        stdin = self._process.stdin
        if self.pid is not None and stdin is not None and not stdin.is_closing():
            stdin.write(encode_frame(request))

    async def send(self, request: Request) -> None:
        # The reader of replies sees the same end and fails the job with the reason.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.write(request)
            if self._process.stdin is not None:
                await self._process.stdin.drain()

    def kill(self) -> None:
        """Stop the process without asking."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End the process: its input is closed, and it is killed if it does not go at once."""
        if self._process.returncode is None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), _GOODBYE_SECONDS)
            except asyncio.TimeoutError:
                self.kill()
                await self._process.wait()
        await asyncio.gather(self._reply_task, self._stderr_task, return_exceptions=True)

    async def _read_stderr(self) -> None:
        stream = self._process.stderr
        while stream is not None:
            try:
                raw = await stream.readline()
            except ValueError:
                continue
            if not raw:
                return
            line = raw.decode("utf-8", "replace").rstrip()
            if line:
                self._last_lines.append(line)
                self._on_line(line)

    async def _read_replies(self) -> None:
        stream = self._process.stdout
        why = ""
        try:
            while stream is not None:
                self._on_reply(decode_reply(await read_body(stream)))
        except asyncio.IncompleteReadError:
            pass
        except (ValueError, msgspec.DecodeError) as error:
            why = f"It wrote something that is no reply ({error})."
            self.kill()
        finally:
            await self._tell_end(why)

    async def _tell_end(self, why: str) -> None:
        code = await self._process.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._stderr_task), _GOODBYE_SECONDS)
        how = f" (signal {-code})" if code < 0 else f" (exit code {code})"
        self._on_end(ended(how, why, list(self._last_lines)))


def not_started(why: str) -> EngineError:
    return EngineError(
        f"The engine process could not be started ({why}).", "Run `shiftlens doctor` to see what is missing."
    )


def ended(how: str, why: str, last_lines: list[str]) -> EngineError:
    """The error of jobs that an end of the engine left unfinished. `how` follows "ended", `why` is a sentence."""
    last = " | ".join(last_lines[-STDERR_LINES_SHOWN:])
    said = f" Its last lines: {last}" if last else ""
    problem = f"The engine process ended{how} before it was done. {why}".strip()
    return EngineError(problem, f"Ask again: a new engine starts by itself.{said}")

"""The link to an engine that other clients use too: a connection to its host."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from shiftlens.engine.links import EngineLeft, Link
from shiftlens.engine.protocol import Request
from shiftlens.engine.sharing.endpoint import Endpoint
from shiftlens.engine.sharing.host_protocol import (
    MAX_REQUEST_BYTES,
    EngineProcess,
    FromHost,
    Goodbye,
    Hello,
    Leaving,
    Logged,
    Running,
    Welcome,
)
from shiftlens.engine.sharing.joining import Connection, no_answer
from shiftlens.engine.worker_process import STDERR_LINES_SHOWN, ended
from shiftlens.errors import EngineError

_RELEASE_SECONDS = 5.0


class SharedEngine(Link):
    """`hello` is what the client said when it came to `endpoint`; `on_log` gets the engine's stderr by lines."""

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        hello: Hello,
        on_log: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._connection = connection
        self._endpoint = endpoint
        self._hello = hello
        self._on_log = on_log
        self._pid: int | None = None
        self._is_open = True
        self._in_order = False
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

    def allow_idle(self, seconds: float) -> None:
        if seconds != self._hello.idle_seconds:
            self._hello = msgspec.structs.replace(self._hello, idle_seconds=seconds)
            self._connection.post(self._hello)

    def unanswered(self) -> EngineError | None:
        return no_answer(self._endpoint)

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
        if self._in_order:
            self._fail_jobs(EngineLeft())
        elif self.jobs:
            self._fail_jobs(ended("", why, self._endpoint.last_lines(STDERR_LINES_SHOWN)))

    def _hear(self, message: FromHost) -> None:
        if isinstance(message, EngineProcess):
            self._pid = message.pid
        elif isinstance(message, Logged):
            self._on_log(message.line)
        elif isinstance(message, Leaving):
            # Not open for new jobs from now on; those that were answered before this are.
            self._in_order = True
            self._is_open = False
        elif not isinstance(message, (Welcome, Running)):
            self._deliver(message)

"""A link to no engine: it keeps what it is sent, and a test says what the engine replies."""

from __future__ import annotations

from shiftlens.engine.links import Link
from shiftlens.engine.protocol import Reply, Request


class FakeLink(Link):
    def __init__(self, *, limit: int | None = None) -> None:
        super().__init__()
        self.sent: list[Request] = []
        self.idle_seconds: float | None = None
        self._open = True
        self._limit = limit

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def pid(self) -> int | None:
        return 1 if self._open else None

    async def send(self, request: Request) -> None:
        if self._limit is not None and len(str(request)) > self._limit:
            raise ValueError("too large")
        self.sent.append(request)

    def post(self, request: Request) -> None:
        self.sent.append(request)

    async def close(self, *, release: bool = False) -> None:  # noqa: ARG002
        self._open = False

    def allow_idle(self, seconds: float) -> None:
        self.idle_seconds = seconds

    def reply(self, *replies: Reply) -> None:
        for reply in replies:
            self._deliver(reply)

    def end(self, error: Exception) -> None:
        """End the engine with this error for its jobs."""
        self._open = False
        self._fail_jobs(error)

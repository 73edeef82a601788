"""Work-done progress under the token that a client sent with its request."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shiftlens.engine.protocol import Progress
from shiftlens.lsp.server.continuing import tell
from shiftlens.lsp.server.language_server import ShiftLensServer

_LEAST_SECONDS_BETWEEN_REPORTS = 0.1


@contextmanager
def asked_progress(
    ls: ShiftLensServer, token: str | int | None, title: str
) -> Iterator[Callable[[Progress], None] | None]:
    """What tells the client how far a job is; None where it sent no token. Cancelling the request cancels the job."""
    if token is None:
        yield None
        return

    def send(value: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            tell(ls, token, value)

    reported = 0.0

    def report(event: Progress) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= _LEAST_SECONDS_BETWEEN_REPORTS:
            reported = now
            # Loading is no part of the work that is counted.
            fraction = 0.0 if event.phase == "loading" else event.fraction
            send({"kind": "report", "message": event.message, "percentage": max(0, min(100, round(100 * fraction)))})

    send({"kind": "begin", "title": title, "percentage": 0})
    try:
        yield report
    finally:
        send({"kind": "end"})

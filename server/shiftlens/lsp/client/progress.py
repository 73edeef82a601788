"""Work-done progress that never outlives its work."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from types import TracebackType

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

SHOW_AFTER_SECONDS = 0.4
_LEAST_SECONDS_BETWEEN_REPORTS = 0.1

_log = logging.getLogger(__name__)


class WorkDone:
    """A cancellable progress bar for the body of an `async with`; nothing where `supported` is false.

    It shows only for work that takes longer than SHOW_AFTER_SECONDS, so that typing does not make it flicker, and
    under a token that is never used again (pygls refuses one it has seen).
    """

    def __init__(self, server: LanguageServer, title: str, on_cancel: Callable[[], object], *, supported: bool) -> None:
        self._progress = server.work_done_progress
        self._title = title
        self._on_cancel = on_cancel
        self._supported = supported
        self._token = str(uuid.uuid4())
        self._latest: tuple[str, float | None] = ("", None)
        self._begun = False
        self._finished = False
        self._reported_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> WorkDone:
        if self._supported:
            self._task = asyncio.get_running_loop().create_task(self._show())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished = True
        if self._begun:
            _quietly(lambda: self._progress.end(self._token, types.WorkDoneProgressEnd()))
        self._progress.tokens.pop(self._token, None)

    def report(self, message: str, fraction: float | None) -> None:
        """Show this, or at the next report where the last one was a moment ago."""
        self._latest = (message, fraction)
        now = time.monotonic()
        if not self._begun or self._finished or now - self._reported_at < _LEAST_SECONDS_BETWEEN_REPORTS:
            return
        self._reported_at = now
        value = types.WorkDoneProgressReport(cancellable=True, message=message, percentage=_percentage(fraction))
        _quietly(lambda: self._progress.report(self._token, value))

    async def _show(self) -> None:
        await asyncio.sleep(SHOW_AFTER_SECONDS)
        if self._is_over():
            return
        try:
            await self._progress.create_async(self._token)
        except (JsonRpcException, OSError) as error:
            _log.info("The editor shows no progress (%s).", type(error).__name__)
            return
        if self._is_over():
            self._progress.tokens.pop(self._token, None)
            return
        message, fraction = self._latest
        value = types.WorkDoneProgressBegin(
            title=self._title, cancellable=True, message=message or None, percentage=_percentage(fraction) or 0
        )
        _quietly(lambda: self._progress.begin(self._token, value))
        self._begun = True
        self._progress.tokens[self._token].add_done_callback(self._on_settled)

    def _on_settled(self, _: object) -> None:
        if not self._is_over():
            self._on_cancel()

    def _is_over(self) -> bool:
        return self._finished


def _quietly(send: Callable[[], None]) -> None:
    """Reports are made while replies of the engine are read, which must go on when the editor has gone."""
    try:
        send()
    except OSError:
        _log.debug("The editor has gone.")


def _percentage(fraction: float | None) -> int | None:
    return None if fraction is None else max(0, min(100, round(100 * fraction)))

"""pygls' language server, hardened, with the session that holds all state."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from shiftlens import __version__
from shiftlens.engine.client import EngineClient
from shiftlens.lsp.client.configuration import Configuration
from shiftlens.lsp.client.editor import Editor
from shiftlens.lsp.client.progress import WorkDone
from shiftlens.lsp.jobs.analyser import Analyser
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.server.parent import until_ended
from shiftlens.lsp.server.plain import plain_converter
from shiftlens.lsp.server.protocol import ShiftLensProtocol

SERVER_NAME = "shiftlens"
_CLOSE_SECONDS = 1.0

_log = logging.getLogger(__name__)
_engine_log = logging.getLogger("shiftlens.engine")


class ShiftLensServer(LanguageServer):
    """One server for one client. `session` holds what it knows, `analyser` runs the jobs.

    `own_commands` are those of the client's own that lenses may name, see `views.lenses`.
    """

    protocol: ShiftLensProtocol

    def __init__(self) -> None:
        super().__init__(
            SERVER_NAME,
            __version__,
            # Where each of several edits was is known from them alone: the colours between them stay.
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=ShiftLensProtocol,
            converter_factory=plain_converter,
        )
        editor = Editor(self)
        engine = EngineClient(on_log=lambda line: _engine_log.info("%s", line), background=True)
        self.session = Session(editor, Configuration(editor), engine)
        self.analyser = Analyser(
            self.session,
            lambda title, on_cancel: WorkDone(self, title, on_cancel, supported=editor.shows_progress),
        )
        self.own_commands: frozenset[str] = frozenset()
        self._keeper: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    def report_server_error(self, error: Exception, source: object) -> None:
        """Only log: telling the client of a failed send fails again, without end."""
        level = logging.DEBUG if isinstance(error, JsonRpcException) else logging.ERROR
        _log.log(level, "%s in %s", type(error).__name__, getattr(source, "__name__", source))

    def keep_engine_with_loop(self) -> None:
        """However the event loop ends (shutdown, exit, a client that is gone), stop the jobs and the engine."""
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._close_at_end())

    def end_with_client(self, pid: int | None) -> None:
        """End when the client's process does, also where somebody else holds its end of the wire."""
        if self._watch is None and pid is not None:
            self._watch = asyncio.get_running_loop().create_task(self._end_after(pid))

    async def _end_after(self, pid: int) -> None:
        if not await until_ended(pid):
            return
        _log.warning("The client's process %d has ended.", pid)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._close(), _CLOSE_SECONDS)
        # A thread waits for the client's next message and would keep the process.
        os._exit(0 if self.protocol.was_shut_down else 1)

    async def _close_at_end(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await self._close()

    async def _close(self) -> None:
        # A client that has gone without a word will not be back soon: no process is left for it.
        await self.session.close(release=not self.protocol.was_shut_down)

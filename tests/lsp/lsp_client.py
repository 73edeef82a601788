"""A small editor for tests: pygls' own client, which records what the server says and answers what it asks."""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    default_converter,
)

from processes import SECONDS as SECONDS

SERVER = (sys.executable, "-m", "shiftlens.lsp")
_Connected = TypeVar("_Connected")
_SHIFT = ("shifted", "marginal", "unshifted")
_MODIFIERS = ("special", "boundary", "offGreedy", "withinNoise")


def _plain_converter() -> Any:
    """pygls turns untyped objects into named tuples and renames their keys; we want what was on the wire."""
    converter = default_converter()  # type: ignore[no-untyped-call]
    for message in (JsonRPCRequestMessage, JsonRPCResponseMessage, JsonRPCNotification):
        converter.register_structure_hook(message, lambda raw, cls: cls(**raw))
    return converter


def capabilities(
    *,
    encodings: tuple[str, ...] | None = None,
    configuration: bool = True,
    progress: bool = True,
    refresh: bool = True,
    hover_formats: tuple[str, ...] = ("markdown", "plaintext"),
    shows_documents: bool = True,
    nests_symbols: bool = True,
) -> types.ClientCapabilities:
    """What VS Code declares, as far as the server looks at it."""
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(
            position_encodings=None if encodings is None else [types.PositionEncodingKind(e) for e in encodings]
        ),
        workspace=types.WorkspaceClientCapabilities(
            configuration=configuration,
            apply_edit=True,
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
            semantic_tokens=types.SemanticTokensWorkspaceClientCapabilities(refresh_support=refresh),
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=refresh),
            inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=refresh),
        ),
        window=types.WindowClientCapabilities(
            work_done_progress=progress, show_document=types.ShowDocumentClientCapabilities(support=shows_documents)
        ),
        text_document=types.TextDocumentClientCapabilities(
            hover=types.HoverClientCapabilities(content_format=[types.MarkupKind(f) for f in hover_formats]),
            code_lens=types.CodeLensClientCapabilities(),
            inlay_hint=types.InlayHintClientCapabilities(),
            folding_range=types.FoldingRangeClientCapabilities(range_limit=5000, line_folding_only=True),
            selection_range=types.SelectionRangeClientCapabilities(),
            inline_completion=types.InlineCompletionClientCapabilities(),
            document_highlight=types.DocumentHighlightClientCapabilities(),
            document_symbol=types.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=nests_symbols),
        ),
    )


class Hover(Protocol):
    """A hover of ours, which always has marked-up text."""

    contents: types.MarkupContent
    range: types.Range | None


class EditorClient(LanguageClient):
    """Records statuses, messages, diagnostics, progress and refreshes; every wait has a limit."""

    def __init__(self) -> None:
        super().__init__("test-editor", "1", protocol_cls=LanguageServerProtocol, converter_factory=_plain_converter)
        self.settings: dict[str, Any] = {}
        self.statuses: list[dict[str, Any]] = []
        self.messages: list[types.ShowMessageParams] = []
        self.questions: list[types.ShowMessageRequestParams] = []
        self.diagnostics: list[types.PublishDiagnosticsParams] = []
        self.progress: list[tuple[str | int, Any]] = []  # type: ignore[assignment]
        self.notifications: list[tuple[str, Any]] = []
        self.answer: str | None = None
        self.refreshes = 0
        self.lens_refreshes = 0
        self.hint_refreshes = 0
        self.shown: list[types.ShowDocumentParams] = []
        self.edits: list[types.ApplyWorkspaceEditParams] = []
        self.stale_pages: list[str] = []
        self.events: list[object] = []
        self.configuration_requests = 0
        self.bad_messages: list[Exception] = []
        self._news = asyncio.Event()
        self._names = itertools.count()
        self._register()

    def report_server_error(self, error: Exception, _: Any) -> None:
        self.bad_messages.append(error)

    def _register(self) -> None:
        @self.feature("shiftlens/status")
        def on_status(params: dict[str, Any]) -> None:
            self.statuses.append(params)
            self.events.append((params["uri"], params["state"]))
            self._news.set()

        @self.feature("shiftlens/openSettings")
        def on_open_settings(params: dict[str, Any]) -> None:
            self.notifications.append(("shiftlens/openSettings", params))
            self._news.set()

        @self.feature("shiftlens/chooseModels")
        def on_choose_models(params: dict[str, Any]) -> None:
            self.notifications.append(("shiftlens/chooseModels", params))
            self._news.set()

        @self.feature(types.WINDOW_SHOW_MESSAGE)
        def on_message(params: types.ShowMessageParams) -> None:
            self.messages.append(params)
            self._news.set()

        @self.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def on_question(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.questions.append(params)
            self._news.set()
            return None if self.answer is None else types.MessageActionItem(title=self.answer)

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def on_diagnostics(params: types.PublishDiagnosticsParams) -> None:
            self.diagnostics.append(params)
            self._news.set()

        @self.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def on_progress_create(params: types.WorkDoneProgressCreateParams) -> None:
            self.progress.append((params.token, "create"))

        @self.feature(types.PROGRESS)
        def on_progress(params: types.ProgressParams) -> None:
            self.progress.append((params.token, params.value))
            self._news.set()

        @self.feature(types.WORKSPACE_SEMANTIC_TOKENS_REFRESH)
        def on_refresh(*_: Any) -> None:
            self.refreshes += 1
            self.events.append("refresh")
            self._news.set()

        @self.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        def on_lens_refresh(*_: Any) -> None:
            self.lens_refreshes += 1
            self._news.set()

        @self.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
        def on_hint_refresh(*_: Any) -> None:
            self.hint_refreshes += 1
            self._news.set()

        @self.feature(types.WINDOW_SHOW_DOCUMENT)
        def on_show_document(params: types.ShowDocumentParams) -> types.ShowDocumentResult:
            self.shown.append(params)
            self._news.set()
            return types.ShowDocumentResult(success=True)

        @self.feature(types.WORKSPACE_APPLY_EDIT)
        def on_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.edits.append(params)
            self._news.set()
            return types.ApplyWorkspaceEditResult(applied=True)

        @self.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH)
        def on_page_refresh(params: types.TextDocumentContentRefreshParams) -> None:
            self.stale_pages.append(params.uri)
            self._news.set()

        @self.feature(types.WORKSPACE_CONFIGURATION)
        def on_configuration(params: types.ConfigurationParams) -> list[Any]:
            self.configuration_requests += 1
            return [self.settings if item.section == "shiftlens" else None for item in params.items]

    async def initialise(self, caps: types.ClientCapabilities | None = None, options: Any = None) -> None:
        self.answer_to_initialise = await asyncio.wait_for(
            self.initialize_async(
                types.InitializeParams(
                    capabilities=caps or capabilities(), process_id=None, initialization_options=options
                )
            ),
            SECONDS,
        )
        self.initialized(types.InitializedParams())

    async def until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Wait until something the server says makes `holds` true."""

        async def wait() -> None:
            while not holds():
                self._news.clear()
                await self._news.wait()

        try:
            await asyncio.wait_for(wait(), SECONDS)
        except asyncio.TimeoutError:
            seen = [(s["uri"], s["state"], s["message"]) for s in self.statuses[-5:]]
            said = [m.message for m in self.messages[-3:]]
            raise AssertionError(f"waited in vain for {what or holds}; last: {seen}; {said}") from None

    def open(self, text: str, *, name: str = "talk.txt", uri: str | None = None) -> str:
        uri = uri or f"file:///t{next(self._names)}/{name}"
        self.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "plaintext", 1, text)))
        return uri

    def change(self, uri: str, text: str, version: int) -> None:
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, uri),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    def close_document(self, uri: str) -> None:
        self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def latest(self, uri: str) -> dict[str, Any]:
        return next((s for s in reversed(self.statuses) if s["uri"] == uri), {"state": None, "version": None})

    async def until_state(self, uri: str, *states: str, version: int | None = None) -> dict[str, Any]:
        def holds() -> bool:
            last = self.latest(uri)
            return last["state"] in states and (version is None or last["version"] == version)

        await self.until(holds, f"{states} of {uri}")
        return self.latest(uri)

    async def tokens(self, uri: str) -> list[int]:
        request = self.text_document_semantic_tokens_full_async(
            types.SemanticTokensParams(types.TextDocumentIdentifier(uri))
        )
        answer = await asyncio.wait_for(request, SECONDS)
        assert answer is not None
        return list(answer.data)

    async def hover(self, uri: str, line: int, character: int) -> Hover | None:
        request = self.text_document_hover_async(
            types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
        )
        hover = await asyncio.wait_for(request, SECONDS)
        assert hover is None or isinstance(hover.contents, types.MarkupContent)
        return cast("Hover | None", hover)

    async def ask(self, method: str, params: Any) -> Any:
        return await asyncio.wait_for(self.protocol.send_request_async(method, params), SECONDS)

    async def command(self, name: str, *arguments: Any) -> Any:
        request = self.workspace_execute_command_async(
            types.ExecuteCommandParams(command=name, arguments=list(arguments))
        )
        return await asyncio.wait_for(request, SECONDS)

    def reconfigure(self, **settings: Any) -> None:
        self.settings = settings
        self.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))

    @contextmanager
    def set_to(self, **changed: Any) -> Iterator[None]:
        """Some settings changed for a while; a server that other tests use too has the old ones back afterwards."""
        before = self.settings
        try:
            self.reconfigure(**{**before, **changed})
            yield
        finally:
            self.reconfigure(**before)

    async def leave(self) -> int:
        """Shut the server down in order; its exit code."""
        await asyncio.wait_for(self.shutdown_async(None), SECONDS)
        self.exit(None)
        return await self.server_code()

    async def server_code(self) -> int:
        assert self._server is not None
        code = await asyncio.wait_for(self._server.wait(), SECONDS)
        for task in self._async_tasks:
            task.cancel()
        await asyncio.gather(*self._async_tasks, return_exceptions=True)
        return code

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._server is not None
        return self._server


def spans(text: str, data: list[int], encoding: str) -> list[tuple[int, int, str, frozenset[str]]]:
    """(start, end, class, modifiers) of each token in code points, read as an editor would: by line and units."""
    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    edges = [(0, 0), *((m.start(), m.end()) for m in re.finditer(r"\r\n|\r|\n", text)), (len(text), len(text))]
    lines = [(start[1], end[0]) for start, end in itertools.pairwise(edges)]
    found = []
    line = column = 0
    for at in range(0, len(data), 5):
        down, right, length, kind, modifiers = data[at : at + 5]
        line, column = line + down, right if down else column + right
        start, end = lines[line]
        raw = text[start:end].encode(codec, "surrogatepass")
        assert length > 0
        assert (column + length) * size <= len(raw)
        before = len(raw[: column * size].decode(codec, "surrogatepass"))
        inside = len(raw[column * size : (column + length) * size].decode(codec, "surrogatepass"))
        flags = frozenset(name for bit, name in enumerate(_MODIFIERS) if modifiers >> bit & 1)
        found.append((start + before, start + before + inside, _SHIFT[kind], flags))
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(found))
    return found


def decode(text: str, data: list[int], encoding: str) -> list[tuple[str, str, frozenset[str]]]:
    """(text, class, modifiers) of each token."""
    return [(text[start:end], kind, flags) for start, end, kind, flags in spans(text, data, encoding)]


async def engine_pid(client: EditorClient) -> int:
    """The engine of a client's server, as soon as there is one."""

    async def wait() -> int:
        while (pid := (await client.command("shiftlens.debugInformation"))["enginePid"]) is None:
            await asyncio.sleep(0.02)
        return int(pid)

    return await asyncio.wait_for(wait(), SECONDS)


async def until_listening(connect: Callable[[], Awaitable[_Connected]]) -> _Connected:
    """What `connect` gives. A server tells its port a moment before it listens there."""

    async def attempt() -> _Connected:
        while True:
            try:
                return await connect()
            except OSError:
                await asyncio.sleep(0.02)

    return await asyncio.wait_for(attempt(), SECONDS)


async def started(
    *command: str,
    caps: types.ClientCapabilities | None = None,
    options: Any = None,
    settings: dict[str, Any] | None = None,
) -> EditorClient:
    """A client with a server of its own, initialised."""
    client = EditorClient()
    client.settings = settings or {}
    await client.start_io(*(command or SERVER))
    await client.initialise(caps, options)
    return client

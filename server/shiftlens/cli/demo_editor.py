"""A very small editor: starts the language server as editors do, opens one file and takes what it shows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    default_converter,
)

from shiftlens import __version__
from shiftlens.analysis.highlights import Highlight
from shiftlens.analysis.model import ShiftClass
from shiftlens.errors import EngineError
from shiftlens.text.lines import LineIndex, Unit

_INTEGERS_PER_TOKEN = 5
_ENDED = {"ready", "error", "noPair", "noTranscript", "noResponse"}
_DOCTOR = "Run `shiftlens doctor` to see what is missing."
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the editor got of a document: spans to paint, a hover as plain text, answers as JSON."""

    highlights: tuple[Highlight, ...]
    hovered: Highlight | None
    hover: str
    analysis: dict[str, Any]


class _Editor(LanguageClient):
    """A client that answers the server's requests and keeps the last status of the document."""

    def __init__(self, settings: dict[str, object], on_status: Callable[[str], None]) -> None:
        super().__init__(
            "shiftlens-demo",
            __version__,
            protocol_cls=LanguageServerProtocol,
            converter_factory=_plain_converter,
        )
        self.status: dict[str, Any] = {}
        self.news = asyncio.Event()

        def on_status_change(params: dict[str, Any]) -> None:
            self.status = params
            on_status(str(params.get("message") or params.get("state", "")))
            self.news.set()

        def on_configuration(params: types.ConfigurationParams) -> list[Any]:
            return [settings if item.section == "shiftlens" else None for item in params.items]

        def on_refresh(*_: Any) -> None:
            """Nothing to do: the colours are asked for once the document is ready."""

        self.feature("shiftlens/status")(on_status_change)
        self.feature(types.WORKSPACE_CONFIGURATION)(on_configuration)
        self.feature(types.WORKSPACE_SEMANTIC_TOKENS_REFRESH)(on_refresh)

    async def ask(self, request: Awaitable[_T]) -> _T:
        """The answer to a request. Raises EngineError where the server ends without one."""
        answer = asyncio.ensure_future(request)
        assert self._server is not None  # noqa: S101 (start_io has been awaited)
        ended = asyncio.ensure_future(self._server.wait())
        try:
            await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            said = b"" if self._server.stderr is None else await self._server.stderr.read()
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise EngineError(f"The language server ended early. {''.join(last)}".strip(), _DOCTOR)
        finally:
            answer.cancel()
            ended.cancel()

    async def until_ended(self) -> None:
        """Wait until there is nothing more to come for the document."""
        while self.status.get("state") not in _ENDED:
            self.news.clear()
            await self.news.wait()

    async def leave(self) -> None:
        """End the session in order, and the server in any case."""
        if self._server is None:
            return
        if self._server.returncode is None:
            try:
                await asyncio.wait_for(self.shutdown_async(None), 5)
                self.exit(None)
                await asyncio.wait_for(self._server.wait(), 5)
            except Exception:
                self._server.kill()
                await self._server.wait()
        for task in self._async_tasks:
            task.cancel()
        await asyncio.gather(*self._async_tasks, return_exceptions=True)


async def show(path: Path, text: str, settings: dict[str, object], on_status: Callable[[str], None]) -> Shown:
    """Open a transcript in a server of its own and take its colours, one hover and the summary.

    `settings` is the `shiftlens` section that the server asks for. Raises EngineError where the server does not
    start, ends early, or has nothing to show.
    """
    editor = _Editor(settings, on_status)
    try:
        await editor.start_io(sys.executable, "-m", "shiftlens", "serve")
        started = await editor.ask(editor.initialize_async(_initialize_params()))
        editor.initialized(types.InitializedParams())
        document = types.TextDocumentIdentifier(path.absolute().as_uri())
        editor.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(document.uri, "plaintext", 1, text))
        )
        await editor.ask(editor.until_ended())
        if editor.status["state"] != "ready":
            raise EngineError(str(editor.status.get("message") or editor.status["state"]), _DOCTOR)
        unit = _unit(started.capabilities.position_encoding)
        lines = LineIndex(text)
        answer = await editor.ask(editor.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document)))
        legend = started.capabilities.semantic_tokens_provider
        highlights = _decoded(lines, unit, legend.legend.token_types if legend else (), answer.data if answer else ())
        worst = max(highlights, key=lambda found: found.shift, default=None)
        hover = ""
        if worst is not None:
            line, column = lines.position(worst.start, unit)
            position = types.Position(line, column)
            hover = _plain(await editor.ask(editor.text_document_hover_async(types.HoverParams(document, position))))
        request = editor.protocol.send_request_async("shiftlens/analysis", {"uri": document.uri})
        return Shown(highlights, worst, hover, await editor.ask(request))
    finally:
        await editor.leave()


def _initialize_params() -> types.InitializeParams:
    return types.InitializeParams(
        capabilities=types.ClientCapabilities(
            general=types.GeneralClientCapabilities(
                position_encodings=[types.PositionEncodingKind.Utf32, types.PositionEncodingKind.Utf16]
            ),
            workspace=types.WorkspaceClientCapabilities(
                configuration=True,
                semantic_tokens=types.SemanticTokensWorkspaceClientCapabilities(refresh_support=True),
            ),
            text_document=types.TextDocumentClientCapabilities(
                hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.PlainText])
            ),
        )
    )


def _decoded(lines: LineIndex, unit: Unit, token_types: Sequence[str], data: Sequence[int]) -> tuple[Highlight, ...]:
    """Semantic tokens (LSP 3.17, "Semantic Tokens") as spans of the text."""
    classes = {shift.label: shift for shift in ShiftClass}
    found = []
    line = column = 0
    for at in range(0, len(data), _INTEGERS_PER_TOKEN):
        down, right, length, kind, _ = data[at : at + _INTEGERS_PER_TOKEN]
        line, column = line + down, right if down else column + right
        start, end = lines.offset(line, column, unit), lines.offset(line, column + length, unit)
        found.append(Highlight(start, end, classes[token_types[kind]]))
    return tuple(found)


def _plain(hover: types.Hover | None) -> str:
    contents = hover.contents if hover is not None else ""
    return contents.value if isinstance(contents, types.MarkupContent) else str(contents)


def _unit(encoding: types.PositionEncodingKind | str | None) -> Unit:
    named = encoding.value if isinstance(encoding, types.PositionEncodingKind) else encoding
    return "utf-32" if named == "utf-32" else "utf-8" if named == "utf-8" else "utf-16"


def _plain_converter() -> Any:
    """pygls turns objects without a type into named tuples and renames their keys; here they stay as sent."""
    converter: Any = default_converter()  # type: ignore[no-untyped-call]
    for message in (JsonRPCRequestMessage, JsonRPCResponseMessage, JsonRPCNotification):
        converter.register_structure_hook(message, lambda raw, cls: cls(**raw))
    return converter

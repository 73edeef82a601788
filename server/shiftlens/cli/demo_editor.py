"""A very small editor: starts the language server as editors do, opens one file and takes what it shows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    default_converter,
)

from shiftlens import __version__
from shiftlens.analysis.highlights import Highlight
from shiftlens.analysis.model import ShiftClass
from shiftlens.errors import EngineError
from shiftlens.text.lines import LineIndex, Unit

_INTEGERS_PER_TOKEN = 5
_ENDED = {"ready", "error", "noPair", "noTranscript", "noResponse"}
_LEAVE_SECONDS = 5
_DOCTOR = "Run `shiftlens doctor` to see what is missing."


@dataclass(frozen=True, slots=True)
class Shown:
    """What the editor got of a document: spans to paint, a hover as plain text, answers as JSON."""

    highlights: tuple[Highlight, ...]
    hovered: Highlight | None
    hover: str
    analysis: dict[str, Any]


class _Editor(LanguageClient):
    """A client that answers the server's requests; `done` becomes the last status of the document, or nothing."""

    def __init__(self, settings: dict[str, object], on_status: Callable[[str], None]) -> None:
        super().__init__("shiftlens-demo", __version__, converter_factory=_plain_converter)
        self.done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.has_ended = False

        def on_status_change(params: dict[str, Any]) -> None:
            on_status(str(params.get("message") or params.get("state", "")))
            if params.get("state") in _ENDED and not self.done.done():
                self.done.set_result(params)

        def on_configuration(params: types.ConfigurationParams) -> list[Any]:
            return [settings if item.section == "shiftlens" else None for item in params.items]

        self.feature("shiftlens/status")(on_status_change)
        self.feature(types.WORKSPACE_CONFIGURATION)(on_configuration)

    async def server_exit(self, _: asyncio.subprocess.Process) -> None:
        """No status comes any more. The requests that wait have got a RuntimeError, from pygls."""
        self.has_ended = True
        if not self.done.done():
            self.done.set_result({})

    async def last_words(self) -> str:
        """The last line that the server wrote beside the wire; empty where there is none."""
        stderr = self._server.stderr if self._server is not None else None
        said = b"" if stderr is None else await stderr.read()
        return "".join(said.decode("utf-8", "replace").strip().splitlines()[-1:])

    async def leave(self) -> None:
        """End the session in order, and the server in any case."""
        if self._server is None:
            return
        try:
            await asyncio.wait_for(self.shutdown_async(None), _LEAVE_SECONDS)
            self.exit(None)
            await asyncio.wait_for(self._server.wait(), _LEAVE_SECONDS)
        except Exception:
            if self._server.returncode is None:
                self._server.kill()
        await self.stop()  # type: ignore[no-untyped-call]


async def show(path: Path, text: str, settings: dict[str, object], on_status: Callable[[str], None]) -> Shown:
    """Open a transcript in a server of its own and take its colours, one hover and the summary.

    `settings` is the `shiftlens` section that the server asks for. Raises EngineError where the server does not
    start, ends early, or has nothing to show.
    """
    editor = _Editor(settings, on_status)
    try:
        await editor.start_io(sys.executable, "-m", "shiftlens", "serve")
        return await _shown(editor, path, text)
    except RuntimeError:
        if not editor.has_ended:
            raise
        said = await editor.last_words()
        raise EngineError(f"The language server ended early. {said}".strip(), _DOCTOR) from None
    finally:
        await editor.leave()


async def _shown(editor: _Editor, path: Path, text: str) -> Shown:
    started = await editor.initialize_async(_initialize_params())
    editor.initialized(types.InitializedParams())
    document = types.TextDocumentIdentifier(path.absolute().as_uri())
    opened = types.TextDocumentItem(document.uri, "plaintext", 1, text)
    editor.text_document_did_open(types.DidOpenTextDocumentParams(opened))
    status = await editor.done
    if not status:
        raise RuntimeError
    if status["state"] != "ready":
        raise EngineError(str(status.get("message") or status["state"]), _DOCTOR)
    unit: Unit = "utf-32" if started.capabilities.position_encoding == types.PositionEncodingKind.Utf32 else "utf-16"
    lines = LineIndex(text)
    answer = await editor.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document))
    legend = started.capabilities.semantic_tokens_provider
    highlights = _decoded(lines, unit, legend.legend.token_types if legend else (), answer.data if answer else ())
    worst = max(highlights, key=lambda found: found.shift, default=None)
    hover = ""
    if worst is not None:
        position = types.Position(*lines.position(worst.start, unit))
        hover = _plain(await editor.text_document_hover_async(types.HoverParams(document, position)))
    analysis = await editor.protocol.send_request_async("shiftlens/analysis", {"uri": document.uri})
    return Shown(highlights, worst, hover, analysis)


def _initialize_params() -> types.InitializeParams:
    return types.InitializeParams(
        capabilities=types.ClientCapabilities(
            general=types.GeneralClientCapabilities(
                position_encodings=[types.PositionEncodingKind.Utf32, types.PositionEncodingKind.Utf16]
            ),
            workspace=types.WorkspaceClientCapabilities(configuration=True),
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


def _plain_converter() -> Any:
    """pygls turns objects without a type into named tuples and renames their keys; here they stay as sent."""
    converter: Any = default_converter()  # type: ignore[no-untyped-call]
    for message in (JsonRPCRequestMessage, JsonRPCResponseMessage, JsonRPCNotification):
        converter.register_structure_hook(message, lambda raw, cls: cls(**raw))
    return converter

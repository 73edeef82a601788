"""What the server says to the editor and asks of it, each only where the editor can."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from shiftlens.lsp.client.status import STATUS_METHOD, Status
from shiftlens.options.settings import SECTION
from shiftlens.text.lines import Unit

OPEN_SETTINGS_METHOD = "shiftlens/openSettings"
CHOOSE_MODELS_METHOD = "shiftlens/chooseModels"
_CONFIGURATION_SECONDS = 5.0

_UNITS: dict[str, Unit] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}

_log = logging.getLogger(__name__)


class Editor:
    """The client, as the rest of the server sees it. Nothing here raises when the client has gone."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server

    @property
    def encoding(self) -> Unit:
        """The negotiated position encoding."""
        encoding = self._server.workspace.position_encoding
        return _UNITS.get(str(getattr(encoding, "value", encoding)), "utf-16")

    @property
    def wants_markdown(self) -> bool:
        """Whether hovers are best in Markdown: the client's order of formats is its preference."""
        formats = self._capability("text_document.hover.content_format")
        return bool(formats) and formats[0] == types.MarkupKind.Markdown

    @property
    def answers_configuration(self) -> bool:
        return bool(self._capability("workspace.configuration"))

    @property
    def nests_symbols(self) -> bool:
        """Whether it takes document symbols within document symbols."""
        return bool(self._capability("text_document.document_symbol.hierarchical_document_symbol_support"))

    @property
    def most_folds(self) -> int | None:
        """How many folding ranges of a document it takes at most, where it says so."""
        limit = self._capability("text_document.folding_range.range_limit")
        return limit if isinstance(limit, int) else None

    @property
    def shows_progress(self) -> bool:
        return bool(self._capability("window.work_done_progress"))

    def refresh_tokens(self) -> None:
        """Make the editor come back for the colours."""
        if self._capability("workspace.semantic_tokens.refresh_support"):
            _quietly(lambda: self._server.workspace_semantic_tokens_refresh(None))

    def refresh_lenses_and_hints(self) -> None:
        """Make the editor come back for what it shows beside the text."""
        if self._capability("workspace.code_lens.refresh_support"):
            _quietly(lambda: self._server.workspace_code_lens_refresh(None))
        if self._capability("workspace.inlay_hint.refresh_support"):
            _quietly(lambda: self._server.workspace_inlay_hint_refresh(None))

    def refresh_page(self, uri: str) -> None:
        """Make the editor come back for the text of a page."""
        params = types.TextDocumentContentRefreshParams(uri=uri)
        _quietly(lambda: self._server.workspace_text_document_content_refresh(params))

    def publish_diagnostics(self, uri: str, version: int | None, diagnostics: Sequence[types.Diagnostic]) -> None:
        params = types.PublishDiagnosticsParams(uri=uri, version=version, diagnostics=list(diagnostics))
        _quietly(lambda: self._server.text_document_publish_diagnostics(params))

    def show_status(self, uri: str, version: int, status: Status) -> None:
        _quietly(lambda: self._server.protocol.notify(STATUS_METHOD, status.as_json(uri, version)))

    def open_settings(self) -> None:
        _quietly(lambda: self._server.protocol.notify(OPEN_SETTINGS_METHOD, {"section": SECTION}))

    def choose_models(self) -> None:
        """For an editor that can ask for a pair itself."""
        _quietly(lambda: self._server.protocol.notify(CHOOSE_MODELS_METHOD, {}))

    def show_message(self, kind: types.MessageType, message: str) -> None:
        params = types.ShowMessageParams(type=kind, message=message)
        _quietly(lambda: self._server.window_show_message(params))

    async def show_place(self, uri: str, place: types.Range) -> bool:
        """Have the editor go to a place; False where it can't, or does not."""
        if not self._capability("window.show_document.support"):
            return False
        params = types.ShowDocumentParams(uri=uri, take_focus=True, selection=place)
        try:
            answer = await self._server.window_show_document_async(params)
        except (JsonRpcException, OSError):
            return False
        return answer.success

    async def apply_edit(self, uri: str, version: int, edit: types.TextEdit, label: str) -> bool:
        """Have the editor change a version of a document; False where it can't, or does not."""
        if not self._capability("workspace.apply_edit"):
            return False
        if self._capability("workspace.workspace_edit.document_changes"):
            document = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
            changes = types.WorkspaceEdit(
                document_changes=[types.TextDocumentEdit(text_document=document, edits=[edit])]
            )
        else:
            changes = types.WorkspaceEdit(changes={uri: [edit]})
        params = types.ApplyWorkspaceEditParams(edit=changes, label=label)
        try:
            answer = await self._server.workspace_apply_edit_async(params)
        except (JsonRpcException, OSError):
            return False
        return answer.applied

    async def ask(self, message: str, choices: Sequence[str]) -> str | None:
        """The choice the user makes, None for none. May take for ever: await it from a task of its own."""
        params = types.ShowMessageRequestParams(
            type=types.MessageType.Info,
            message=message,
            actions=[types.MessageActionItem(title=choice) for choice in choices],
        )
        try:
            answer = await self._server.window_show_message_request_async(params)
        except (JsonRpcException, OSError):
            return None
        return answer.title if answer is not None else None

    async def configuration(self, uri: str) -> object:
        """The client's settings for a document, None where it gives none."""
        item = types.ConfigurationItem(scope_uri=uri, section=SECTION)
        request = self._server.workspace_configuration_async(types.ConfigurationParams(items=[item]))
        try:
            answers = await asyncio.wait_for(request, _CONFIGURATION_SECONDS)
        except (JsonRpcException, OSError, asyncio.TimeoutError) as error:
            _log.warning("The editor gave no settings (%s); the defaults are used.", type(error).__name__)
            return None
        return answers[0] if answers else None

    def watch_configuration(self) -> None:
        """Ask to hear of changes of settings."""
        if self._capability("workspace.did_change_configuration.dynamic_registration"):
            registration = types.Registration(
                id="shiftlens-configuration",
                method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                register_options={"section": SECTION},
            )
            params = types.RegistrationParams(registrations=[registration])
            _quietly(lambda: self._server.client_register_capability(params))

    def _capability(self, name: str) -> Any:
        return get_capability(self._server.client_capabilities, name)


def _quietly(send: Callable[[], object]) -> None:
    try:
        send()
    except OSError:
        _log.debug("The editor has gone.")

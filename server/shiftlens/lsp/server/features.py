"""Documents, colours and hovers: handlers, registered with pygls. They read the session; jobs change it.

Those of what helps to find one's way are in `reviewing.py` and `navigation.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from array import array
from collections.abc import Mapping

from lsprotocol import types

from shiftlens.errors import TranscriptError
from shiftlens.lsp.client.status import State
from shiftlens.lsp.documents.locate import is_in_response
from shiftlens.lsp.documents.open import (
    EncodedTokens,
    OpenDocument,
    offset,
    span_range,
)
from shiftlens.lsp.jobs.pages import page_text, place_in_source
from shiftlens.lsp.jobs.survey import survey
from shiftlens.lsp.jobs.task import Trigger
from shiftlens.lsp.server.current import place_in, still_true
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.protocol import DocumentParams, TokenParams
from shiftlens.lsp.server.warm_up import warm_up
from shiftlens.lsp.views.hover import Card, hover_cards, render_markdown, render_plaintext, waiting_card
from shiftlens.lsp.views.lenses import OWN_COMMANDS
from shiftlens.lsp.views.requests import Json, analysis_answer, token_answer
from shiftlens.lsp.views.semantic_tokens import LEGEND, edits_between, encode_now, encode_range
from shiftlens.lsp.views.token_table import token_table

_SHUTDOWN_SECONDS = 1.0


def register_features(server: ShiftLensServer) -> None:
    """Register every handler of this file."""
    for method, handler in (
        (types.INITIALIZE, initialize),
        (types.INITIALIZED, initialized),
        (types.SHUTDOWN, shutdown),
        (types.TEXT_DOCUMENT_DID_OPEN, did_open),
        (types.TEXT_DOCUMENT_DID_CHANGE, did_change),
        (types.TEXT_DOCUMENT_DID_SAVE, did_save),
        (types.TEXT_DOCUMENT_DID_CLOSE, did_close),
        (types.WORKSPACE_DID_CHANGE_CONFIGURATION, did_change_configuration),
        (types.TEXT_DOCUMENT_HOVER, hover),
        (types.TEXT_DOCUMENT_DEFINITION, definition),
        (types.WORKSPACE_TEXT_DOCUMENT_CONTENT, text_document_content),
        ("shiftlens/analysis", analysis),
        ("shiftlens/survey", survey_file),
        ("shiftlens/token", token),
        ("shiftlens/tokens", tokens),
    ):
        server.feature(method)(handler)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)(semantic_tokens_full)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA, LEGEND)(semantic_tokens_delta)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, LEGEND)(semantic_tokens_range)


def initialize(ls: ShiftLensServer, params: types.InitializeParams) -> None:
    ls.keep_engine_with_loop()
    ls.end_with_client(params.process_id)
    options = params.initialization_options
    if isinstance(options, Mapping):
        ls.session.trusted = options.get("trusted", True) is True
        ls.session.picks_models = options.get("picksModels") is True
        ls.session.configuration.push(options.get("settings"))
        commands = options.get("commands")
        ls.own_commands = frozenset(commands if isinstance(commands, (list, tuple)) else ()) & set(OWN_COMMANDS)


def initialized(ls: ShiftLensServer, params: types.InitializedParams) -> None:  # noqa: ARG001
    ls.session.editor.watch_configuration()
    ls.session.in_background(asyncio.to_thread(warm_up))


async def shutdown(ls: ShiftLensServer, *args: object) -> None:  # noqa: ARG001
    # The engine that does not go in this time is taken down with the process.
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ls.session.close(), _SHUTDOWN_SECONDS)


def did_open(ls: ShiftLensServer, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    ls.session.documents[item.uri] = OpenDocument(item.uri, item.version, item.text)
    ls.analyser.request(item.uri, Trigger.OPEN)


def did_change(ls: ShiftLensServer, params: types.DidChangeTextDocumentParams) -> None:
    uri = params.text_document.uri
    document = ls.session.documents.get(uri)
    if document is not None:
        document.update(params.text_document.version, params.content_changes, ls.session.editor.encoding)
        ls.analyser.request(uri, Trigger.EDIT)


def did_save(ls: ShiftLensServer, params: types.DidSaveTextDocumentParams) -> None:
    ls.analyser.request(params.text_document.uri, Trigger.SAVE)


def did_close(ls: ShiftLensServer, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    ls.analyser.forget(uri)
    ls.session.engine.forget(uri)
    ls.session.store.hide(uri)
    ls.session.configuration.forget(uri)
    ls.session.pages.pop(uri, None)
    document = ls.session.documents.pop(uri, None)
    if document is not None and document.diagnosed:
        ls.session.editor.publish_diagnostics(uri, None, ())


def did_change_configuration(ls: ShiftLensServer, params: types.DidChangeConfigurationParams) -> None:
    ls.session.configuration.push(params.settings)
    ls.session.editor.refresh_lenses_and_hints()
    ls.analyser.request_all(Trigger.OPEN)


async def semantic_tokens_full(ls: ShiftLensServer, params: types.SemanticTokensParams) -> types.SemanticTokens:
    document = ls.session.documents.get(params.text_document.uri)
    if document is None:
        return types.SemanticTokens(data=[])
    encoded = await _encoded(ls, document)
    return types.SemanticTokens(data=encoded.data.tolist(), result_id=encoded.result_id)


async def semantic_tokens_delta(
    ls: ShiftLensServer, params: types.SemanticTokensDeltaParams
) -> types.SemanticTokens | types.SemanticTokensDelta:
    document = ls.session.documents.get(params.text_document.uri)
    if document is None:
        return types.SemanticTokens(data=[])
    before = document.encoded
    encoded = await _encoded(ls, document)
    if before is None or before.result_id != params.previous_result_id:
        return types.SemanticTokens(data=encoded.data.tolist(), result_id=encoded.result_id)
    return types.SemanticTokensDelta(edits=edits_between(before.data, encoded.data), result_id=encoded.result_id)


async def semantic_tokens_range(ls: ShiftLensServer, params: types.SemanticTokensRangeParams) -> types.SemanticTokens:
    document = ls.session.documents.get(params.text_document.uri)
    shown = ls.session.store.shown(params.text_document.uri)
    if document is None or shown is None:
        return types.SemanticTokens(data=[])
    unit = ls.session.editor.encoding
    version, text = document.version, document.text
    start = offset(document.lines, params.range.start, unit)
    end = offset(document.lines, params.range.end, unit)
    noise = document.noise_of(shown)
    spans = () if noise is None else noise.spans
    data = await asyncio.to_thread(encode_range, shown, document.edits_since(shown), text, start, end, unit, spans)
    still_true(ls, document, version)
    return types.SemanticTokens(data=data.tolist())


async def _encoded(ls: ShiftLensServer, document: OpenDocument) -> EncodedTokens:
    """The colours of the present version, from the last time if nothing changed.

    Raises JsonRpcContentModified where the text changed meanwhile; editors keep the colours they have.
    """
    shown = ls.session.store.shown(document.uri)
    cached = document.encoded
    version, text = document.version, document.text
    noise = None if shown is None else document.noise_of(shown)
    if cached is not None and cached.version == version and cached.analysis is shown and cached.noise is noise:
        return cached
    data = array("I")
    if shown is not None:
        edits = document.edits_since(shown)
        spans = () if noise is None else noise.spans
        data = await asyncio.to_thread(encode_now, shown, edits, text, ls.session.editor.encoding, spans)
        still_true(ls, document, version)
    document.encoded = EncodedTokens(version, shown, uuid.uuid4().hex, data, noise)
    return document.encoded


def hover(ls: ShiftLensServer, params: types.HoverParams) -> types.Hover | None:
    found = place_in(ls, params.text_document.uri, params.position)
    if found is not None:
        document, place = found
        span = place.span_now()
        shown = None if span is None else span_range(document.lines, *span, ls.session.editor.encoding)
        return _hover(ls, hover_cards(place, _waiting_words(document)), shown)
    waiting = ls.session.documents.get(params.text_document.uri)
    if waiting is None or ls.session.store.shown(waiting.uri) is not None:
        return None
    if not is_in_response(waiting, params.position, ls.session.editor.encoding):
        return None
    return _hover(ls, (waiting_card(_waiting_words(waiting)),), None)


def _hover(ls: ShiftLensServer, cards: tuple[Card, ...], shown: types.Range | None) -> types.Hover:
    if ls.session.editor.wants_markdown:
        contents = types.MarkupContent(kind=types.MarkupKind.Markdown, value=render_markdown(cards))
    else:
        contents = types.MarkupContent(kind=types.MarkupKind.PlainText, value=render_plaintext(cards))
    return types.Hover(contents=contents, range=shown)


async def text_document_content(
    ls: ShiftLensServer, params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult:
    """The text of a page; why there is none is its text as well, since an editor would show an empty document."""
    try:
        text = await page_text(ls.session, params.uri)
    except TranscriptError as error:
        text = f"{error}\n"
    return types.TextDocumentContentResult(text=text)


def definition(ls: ShiftLensServer, params: types.DefinitionParams) -> types.Location | None:
    """From what a page shows, to where it stands in the file. In other documents nothing is defined."""
    return place_in_source(ls.session, params.text_document.uri, params.position)


def analysis(ls: ShiftLensServer, params: DocumentParams) -> Json | None:
    document = ls.session.documents.get(params.uri)
    if document is None:
        return None
    return analysis_answer(document, ls.session.store.shown(params.uri), ls.session.editor.encoding)


async def survey_file(ls: ShiftLensServer, params: DocumentParams) -> Json | None:
    return await survey(ls.session, params.uri)


def token(ls: ShiftLensServer, params: TokenParams) -> Json | None:
    found = place_in(ls, params.uri, params.position)
    return None if found is None else token_answer(*found, ls.session.editor.encoding)


async def tokens(ls: ShiftLensServer, params: DocumentParams) -> Json | None:
    document = ls.session.documents.get(params.uri)
    shown = ls.session.store.shown(params.uri)
    if document is None or shown is None:
        return None
    version = document.version
    edits = document.edits_since(shown)
    answer = await asyncio.to_thread(token_table, shown, edits, document.lines, ls.session.editor.encoding)
    still_true(ls, document, version)
    return answer | {"uri": document.uri, "version": version, "analysedVersion": shown.version}


def _waiting_words(document: OpenDocument) -> str:
    state = document.status.state
    if state in (State.LOADING, State.SCORING):
        return f"Scoring… {document.status.message}".strip()
    return document.status.message or "The text has changed; its scores are on their way."

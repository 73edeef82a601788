"""Lenses, symbols, folds, hints, selections and highlights: handlers, registered with pygls.

Those that show scores read the store and answer at once. Symbols, folds and selections are of the text alone, so that
they wait until it is read, but never for scores.
"""

from __future__ import annotations

import asyncio

from lsprotocol import types

from shiftlens.lsp.documents.locate import place_at
from shiftlens.lsp.documents.open import OpenDocument, offset
from shiftlens.lsp.server.current import place_in, still_true
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.views.hints import inlay_hints
from shiftlens.lsp.views.lenses import code_lenses
from shiftlens.lsp.views.occurrences import occurrences
from shiftlens.lsp.views.selection import selection_range
from shiftlens.lsp.views.symbols import document_symbols, flat_symbols, folding_ranges
from shiftlens.transcripts.model import Transcript


def register_reviewing(server: ShiftLensServer) -> None:
    """Register every handler of this file."""
    for method, handler in (
        (types.TEXT_DOCUMENT_CODE_LENS, code_lens),
        (types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, document_highlight),
        (types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, document_symbol),
        (types.TEXT_DOCUMENT_FOLDING_RANGE, folding_range),
        (types.TEXT_DOCUMENT_INLAY_HINT, inlay_hint),
        (types.TEXT_DOCUMENT_SELECTION_RANGE, selection_ranges),
    ):
        server.feature(method)(handler)


async def code_lens(ls: ShiftLensServer, params: types.CodeLensParams) -> list[types.CodeLens]:
    uri = params.text_document.uri
    settings = await ls.session.configuration.settings(uri)
    document, shown = ls.session.documents.get(uri), ls.session.store.shown(uri)
    if document is None or shown is None or not settings.code_lenses:
        return []
    version, unit = document.version, ls.session.editor.encoding
    found = await asyncio.to_thread(code_lenses, document, shown, unit, ls.own_commands)
    still_true(ls, document, version)
    return found


async def inlay_hint(ls: ShiftLensServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    uri = params.text_document.uri
    settings = await ls.session.configuration.settings(uri)
    document, shown = ls.session.documents.get(uri), ls.session.store.shown(uri)
    if document is None or shown is None or not settings.inlay_hints:
        return []
    version, unit, lines = document.version, ls.session.editor.encoding, document.lines
    start, end = (offset(lines, at, unit) for at in (params.range.start, params.range.end))
    found = await asyncio.to_thread(inlay_hints, shown, document.edits_since(shown), lines, start, end, unit)
    still_true(ls, document, version)
    return found


async def document_symbol(
    ls: ShiftLensServer, params: types.DocumentSymbolParams
) -> list[types.DocumentSymbol] | list[types.SymbolInformation]:
    uri = params.text_document.uri
    read = await _read(ls, uri)
    if read is None:
        return []
    document, transcript = read
    shown = ls.session.store.shown(uri)
    # The results are those of responses of this very text, one by one.
    same = shown if shown is not None and shown.text == document.text else None
    version, unit = document.version, ls.session.editor.encoding
    found = await asyncio.to_thread(document_symbols, transcript, same, document.lines, unit)
    still_true(ls, document, version)
    return found if ls.session.editor.nests_symbols else flat_symbols(uri, found)


async def folding_range(ls: ShiftLensServer, params: types.FoldingRangeParams) -> list[types.FoldingRange]:
    read = await _read(ls, params.text_document.uri)
    if read is None:
        return []
    document, transcript = read
    version = document.version
    found = await asyncio.to_thread(folding_ranges, transcript, document.lines, ls.session.editor.most_folds)
    still_true(ls, document, version)
    return found


async def selection_ranges(ls: ShiftLensServer, params: types.SelectionRangeParams) -> list[types.SelectionRange]:
    """One for each position, in their order."""
    uri = params.text_document.uri
    read = await _read(ls, uri)
    document = ls.session.documents.get(uri)
    if document is None:
        return []
    transcript = None if read is None else read[1]
    shown, unit, lines = ls.session.store.shown(uri), ls.session.editor.encoding, document.lines
    return [
        selection_range(
            transcript,
            None if shown is None else place_at(document, shown, position, unit),
            lines,
            offset(lines, position, unit),
            unit,
        )
        for position in params.positions
    ]


async def document_highlight(
    ls: ShiftLensServer, params: types.DocumentHighlightParams
) -> list[types.DocumentHighlight]:
    found = place_in(ls, params.text_document.uri, params.position)
    if found is None:
        return []
    document, place = found
    version, unit = document.version, ls.session.editor.encoding
    highlights = await asyncio.to_thread(occurrences, place, document.lines, unit)
    still_true(ls, document, version)
    return highlights


async def _read(ls: ShiftLensServer, uri: str) -> tuple[OpenDocument, Transcript] | None:
    """A document and the transcript of its present text; None where it holds none.

    Raises JsonRpcContentModified where the text changed while it was read.
    """
    document = ls.session.documents.get(uri)
    if document is None:
        return None
    version = document.version
    parsed = await ls.analyser.parsed(document, await ls.session.configuration.settings(uri))
    still_true(ls, document, version)
    return None if parsed.transcript is None else (document, parsed.transcript)

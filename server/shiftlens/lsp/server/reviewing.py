"""Lenses, symbols, folds, hints, selections and highlights: handlers, registered with pygls.

Those that show scores read the store and answer at once. Symbols, folds and selections are of the text alone, so that
they wait until it is read, but never for scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lsprotocol import types

from shiftlens.lsp.documents.locate import place_at
from shiftlens.lsp.documents.open import OpenDocument, offset
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.jobs.read_document import read_document
from shiftlens.lsp.server.current import place_in, still_true
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.plain import Plain, in_thread
from shiftlens.lsp.views.hints import inlay_hints
from shiftlens.lsp.views.lenses import code_lenses
from shiftlens.lsp.views.occurrences import occurrences
from shiftlens.lsp.views.selection import TurnSpans, selection_range
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


async def code_lens(ls: ShiftLensServer, params: types.CodeLensParams) -> Plain | None:
    uri = params.text_document.uri
    settings = await ls.session.configuration.settings(uri)
    document, shown = ls.session.documents.get(uri), ls.session.store.shown(uri)
    if document is None or shown is None or not settings.code_lenses:
        return None
    edits, lines, unit = document.edits_since(shown), document.lines, ls.session.editor.encoding
    return await _answer(ls, document, lambda: code_lenses(uri, shown, edits, lines, unit, ls.own_commands))


async def inlay_hint(ls: ShiftLensServer, params: types.InlayHintParams) -> Plain | None:
    uri = params.text_document.uri
    settings = await ls.session.configuration.settings(uri)
    document, shown = ls.session.documents.get(uri), ls.session.store.shown(uri)
    if document is None or shown is None or not settings.inlay_hints:
        return None
    edits, lines, unit = document.edits_since(shown), document.lines, ls.session.editor.encoding
    start, end = (offset(lines, at, unit) for at in (params.range.start, params.range.end))
    return await _answer(ls, document, lambda: inlay_hints(shown, edits, lines, start, end, unit))


async def document_symbol(ls: ShiftLensServer, params: types.DocumentSymbolParams) -> Plain | None:
    uri = params.text_document.uri
    read = await _read(ls, uri)
    if read is None:
        return None
    document, transcript = read
    shown = ls.session.store.shown(uri)
    scores = shown if shown is not None and _is_of(shown, document, transcript) else None
    lines, unit, nests = document.lines, ls.session.editor.encoding, ls.session.editor.nests_symbols

    def symbols() -> Sequence[types.DocumentSymbol | types.SymbolInformation]:
        nested = document_symbols(transcript, scores, lines, unit)
        return nested if nests else flat_symbols(uri, nested)

    return await _answer(ls, document, symbols)


async def folding_range(ls: ShiftLensServer, params: types.FoldingRangeParams) -> Plain | None:
    read = await _read(ls, params.text_document.uri)
    if read is None:
        return None
    document, transcript = read
    lines, most = document.lines, ls.session.editor.most_folds
    return await _answer(ls, document, lambda: folding_ranges(transcript, lines, most))


async def selection_ranges(ls: ShiftLensServer, params: types.SelectionRangeParams) -> Plain | None:
    """One for each position, in their order."""
    uri = params.text_document.uri
    read = await _read(ls, uri)
    document, shown = ls.session.documents.get(uri), ls.session.store.shown(uri)
    if document is None:
        return None
    transcript = None if read is None else read[1]
    lines, unit = document.lines, ls.session.editor.encoding
    places = [
        (offset(lines, at, unit), None if shown is None else place_at(document, shown, at, unit))
        for at in params.positions
    ]

    def ranges() -> list[types.SelectionRange]:
        turns = TurnSpans.of(transcript)
        return [selection_range(turns, place, lines, at, unit) for at, place in places]

    return await _answer(ls, document, ranges)


async def document_highlight(ls: ShiftLensServer, params: types.DocumentHighlightParams) -> Plain | None:
    found = place_in(ls, params.text_document.uri, params.position)
    if found is None:
        return None
    document, place = found
    lines, unit = document.lines, ls.session.editor.encoding
    return await _answer(ls, document, lambda: occurrences(place, lines, unit))


async def _answer(ls: ShiftLensServer, document: OpenDocument, make: Callable[[], object]) -> Plain:
    """What `make` makes, in a thread. Raises JsonRpcContentModified where the text changed meanwhile."""
    version = document.version
    found = await in_thread(ls.protocol.converter, make)
    still_true(ls, document, version)
    return found


def _is_of(shown: DocumentAnalysis, document: OpenDocument, transcript: Transcript) -> bool:
    """Whether results are those of the responses of a transcript, one by one."""
    own = shown.transcript
    return shown.text == document.text and (own.format, len(own.responses)) == (
        transcript.format,
        len(transcript.responses),
    )


async def _read(ls: ShiftLensServer, uri: str) -> tuple[OpenDocument, Transcript] | None:
    """A document and the transcript of its present text; None where it holds none.

    Raises JsonRpcContentModified where the text changed while it was read.
    """
    document = ls.session.documents.get(uri)
    if document is None:
        return None
    version = document.version
    parsed = await read_document(ls.session, document, await ls.session.configuration.settings(uri))
    still_true(ls, document, version)
    return None if parsed.transcript is None else (document, parsed.transcript)

"""What several handlers ask first: what stands at a position now, and whether an answer is still true."""

from __future__ import annotations

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified

from shiftlens.lsp.documents.locate import Place, place_at
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.server.language_server import ShiftLensServer


def place_in(ls: ShiftLensServer, uri: str, position: types.Position) -> tuple[OpenDocument, Place] | None:
    """A document and what stands at a position of it; None where it shows no scores, or no response is there."""
    document = ls.session.documents.get(uri)
    shown = ls.session.store.shown(uri)
    if document is None or shown is None:
        return None
    place = place_at(document, shown, position, ls.session.editor.encoding)
    return None if place is None else (document, place)


def still_true(ls: ShiftLensServer, document: OpenDocument, version: int) -> None:
    """Raises JsonRpcContentModified where the document has changed or is closed; editors keep what they have."""
    if document.version != version or ls.session.documents.get(document.uri) is not document:
        raise JsonRpcContentModified

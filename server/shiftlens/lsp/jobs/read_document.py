"""Reading a document: its own text, or the page that it shows of another."""

from __future__ import annotations

import asyncio
import dataclasses

from shiftlens.lsp.documents.open import OpenDocument, ParsedDocument, parse
from shiftlens.lsp.jobs.pages import is_page, parse_page, stale_pages
from shiftlens.lsp.jobs.readings import reading_of
from shiftlens.lsp.jobs.session import Session
from shiftlens.options.settings import Settings


async def read_document(session: Session, document: OpenDocument, settings: Settings) -> ParsedDocument:
    """The document as it is now, read if it was not yet: once, also where several want it."""
    async with document.read_lock:
        return await _read(session, document, settings)


async def _read(session: Session, document: OpenDocument, settings: Settings) -> ParsedDocument:
    version, text = document.version, document.text
    reading = reading_of(session, document.uri, settings)
    parsed = document.parsed
    if parsed is None or parsed.reading != reading or parsed.text != text:
        if is_page(document.uri):
            parsed = await parse_page(session, document, reading)
        else:
            parsed = await asyncio.to_thread(parse, version, text, reading)
            for page_uri in stale_pages(session, document.uri, text):
                session.editor.refresh_page(page_uri)
    else:
        parsed = dataclasses.replace(parsed, version=version)
    document.parsed = parsed
    return parsed

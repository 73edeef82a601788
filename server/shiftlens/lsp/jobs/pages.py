"""The reading view in the editor: documents that the server writes, each the page of a file (see `page`).

The URI of a page is `shiftlens-conversation:PATH?URI`, with the URI of its file as the query. The client asks for its
text by `workspace/textDocumentContent` (LSP 3.18) and opens it as any other document; it is never written to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.uris import to_fs_path

from shiftlens.errors import TranscriptError
from shiftlens.lsp.documents.open import OpenDocument, ParsedDocument, Reading, filename_of, offset, span_range
from shiftlens.lsp.jobs.readings import reading_of
from shiftlens.lsp.jobs.session import Session
from shiftlens.page.build import Page, Source, build_page
from shiftlens.page.sources import sources_in, sources_of_text
from shiftlens.text.lines import LineIndex

PAGE_SCHEME = "shiftlens-conversation"
"""The scheme of the URIs of pages."""


def is_page(uri: str) -> bool:
    """Whether a document is one that the server writes."""
    return uri.startswith(f"{PAGE_SCHEME}:")


def source_uri(page_uri: str) -> str:
    """The URI of the file that a page shows."""
    return unquote(urlsplit(page_uri).query)


def file_of(uri: str) -> str | None:
    """The path of a document's file, or of the file that a page shows; None where there is none."""
    source = source_uri(uri) if is_page(uri) else uri
    return to_fs_path(source) if source.startswith("file:") else None


def name_of(uri: str) -> str:
    """What a document, or the file that a page shows, is called."""
    source = source_uri(uri) if is_page(uri) else uri
    return filename_of(source) or source


async def page_text(session: Session, uri: str) -> str:
    """Write the page of this URI anew, and keep it while the document is open. Raises TranscriptError."""
    source = source_uri(uri)
    settings = await session.configuration.settings(source)
    reading = reading_of(session, source, settings)
    opened = session.documents.get(source)
    page = await asyncio.to_thread(_page, source, None if opened is None else opened.text, reading)
    for other in [each for each in session.pages if each not in session.documents]:
        # Asked for, but never opened, or not yet: then it is written again.
        del session.pages[other]
    session.pages[uri] = page
    return page.text


def _page(source: str, text: str | None, reading: Reading) -> Page:
    named = reading.format or None
    if text is not None:
        return build_page(sources_of_text(text, reading.filename, named, reading.own_template))
    path = to_fs_path(source)
    if path is None or not source.startswith("file:"):
        raise TranscriptError(f"There is no file at {source}.", "Open the file, and then its page.")
    return build_page(sources_in(str(Path(path)), b"", reading.max_bytes, named, reading.own_template))


async def parse_page(session: Session, document: OpenDocument, reading: Reading) -> ParsedDocument:
    """What an open page holds: the conversations of its file."""
    version, text = document.version, document.text
    try:
        if document.uri not in session.pages:
            await page_text(session, document.uri)
    except TranscriptError as error:
        return ParsedDocument(version, text, reading, problem=error)
    page = session.pages[document.uri]
    if page.text != text:
        stale = TranscriptError("This page shows the file as it was.", "Close the page and open it again.")
        return ParsedDocument(version, text, reading, problem=stale)
    return ParsedDocument(version, text, reading, page.transcript)


def stale_pages(session: Session, uri: str, text: str) -> Iterator[str]:
    """The open pages of a document that show another text than its present one; they are forgotten."""
    for page_uri, page in list(session.pages.items()):
        if source_uri(page_uri) == uri and [source.text for source in page.sources] != [text]:
            del session.pages[page_uri]
            yield page_uri


def place_in_source(session: Session, uri: str, position: types.Position) -> types.Location | None:
    """Where what the page shows at a position stands in its file; None for a page of an archive, and elsewhere."""
    page, document = session.pages.get(uri), session.documents.get(uri)
    if page is None or document is None or not page.sources[0].in_file:
        return None
    unit = session.editor.encoding
    found = page.source_of(offset(document.lines, position, unit))
    if found is None:
        return None
    source: Source = page.sources[found[0]]
    return types.Location(source_uri(uri), span_range(LineIndex(source.text), found[1], found[1], unit))

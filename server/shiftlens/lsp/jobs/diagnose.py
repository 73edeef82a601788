"""Publishing diagnostics: what could not be read and, where the user wants them, runs of shifted tokens."""

from __future__ import annotations

import asyncio

from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.views.run_diagnostics import run_diagnostics
from shiftlens.text.lines import LineIndex


async def publish_diagnostics(session: Session, document: OpenDocument, version: int, text: str) -> None:
    """All diagnostics of a version of a document, whose problems are known; nothing where there never were any."""
    settings = await session.configuration.settings(document.uri)
    shown = session.store.shown(document.uri)
    found = list(document.problems)
    if settings.run_diagnostics and shown is not None:
        edits, unit = document.edits_between(shown, version, text), session.editor.encoding
        found += await asyncio.to_thread(lambda: run_diagnostics(shown, edits, LineIndex(text), unit))
    if found or document.diagnosed:
        session.editor.publish_diagnostics(document.uri, version, found)
    document.diagnosed = bool(found)


async def publish_runs(session: Session, document: OpenDocument, version: int, text: str) -> None:
    """All diagnostics anew where runs are among them, since these have changed."""
    if (await session.configuration.settings(document.uri)).run_diagnostics:
        await publish_diagnostics(session, document, version, text)


def publish_problems(session: Session, document: OpenDocument) -> None:
    """What could not be read alone, where more may be shown."""
    if document.diagnosed:
        session.editor.publish_diagnostics(document.uri, document.version, document.problems)
        document.diagnosed = bool(document.problems)

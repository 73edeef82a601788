"""A transcript that no editor has open: read from disk, with the scores that are stored. No model."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

from pygls.uris import to_fs_path

from shiftlens.errors import TranscriptError
from shiftlens.lsp.documents.open import OpenDocument, Reading, parse
from shiftlens.lsp.jobs.beside import decided_with_sidecar
from shiftlens.lsp.jobs.document_work import DocumentWork
from shiftlens.lsp.jobs.readings import reading_of
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.views.requests import Json, analysis_answer
from shiftlens.options.pair import FROM_MODELS
from shiftlens.options.pair_choice import choose_pair
from shiftlens.pipeline.saved_work import plan_saved_work
from shiftlens.pipeline.scoring_job import recall
from shiftlens.pipeline.sidecars import NO_SIDECAR
from shiftlens.pipeline.work import plan_work
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.files import decode


async def survey(session: Session, uri: str) -> Json | None:
    """As `shiftlens/analysis` answers for an open document; None for what is no transcript, or has no pair."""
    path = to_fs_path(uri)
    if path is None:
        return None
    is_open = uri in session.documents
    settings = await session.configuration.settings(uri)
    if not is_open:
        session.configuration.forget(uri)
    reading = reading_of(session, uri, settings)
    document = await asyncio.to_thread(_read, uri, Path(path), reading)
    transcript = document.parsed.transcript if document is not None and document.parsed is not None else None
    if document is None or document.parsed is None or transcript is None or not transcript.responses:
        return None
    choice = choose_pair(settings, transcript.front_matter, session.pair, trusted=session.trusted)
    decided = NO_SIDECAR
    if choice.scores != FROM_MODELS:
        work = await asyncio.to_thread(plan_saved_work, transcript, choice.score_options)
        choice = dataclasses.replace(choice, score_options=work.options)
    else:
        requests = Requests(transcript.responses, transcript.format)
        choice, decided = await asyncio.to_thread(decided_with_sidecar, session, uri, choice, settings, requests)
        if choice.pair is None:
            return None
        work = await asyncio.to_thread(plan_work, transcript, choice.pair, choice.score_options, requests=requests)
        # What is on disk stays there alone: a folder of such files would push what open documents show out of memory.
        await recall(work, None, session.outcomes)
        await recall(work, session.saved if settings.result_cache else None, None, decided.beside.scores)
    found = DocumentWork(document, 0, document.text, choice, work, decided)
    view = await asyncio.to_thread(found.view, None)
    document.status = found.status()
    return analysis_answer(document, view, session.editor.encoding)


def _read(uri: str, path: Path, reading: Reading) -> OpenDocument | None:
    """None for what is too large, not there, or not text."""
    try:
        with path.open("rb") as file:
            text = decode(file.read(reading.max_bytes + 1), reading.max_bytes)
    except (OSError, ValueError, TranscriptError):
        return None
    document = OpenDocument(uri, 0, text)
    document.parsed = parse(0, text, reading)
    return document

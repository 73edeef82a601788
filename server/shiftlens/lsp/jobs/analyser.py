"""Which jobs of documents begin, replace each other and end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lsprotocol import types

from shiftlens.lsp.client.progress import WorkDone
from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.open import OpenDocument, offset
from shiftlens.lsp.jobs.document_job import DocumentJob
from shiftlens.lsp.jobs.document_work import touched
from shiftlens.lsp.jobs.read_document import read_document
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.jobs.stages_job import StagesJob
from shiftlens.lsp.jobs.task import Task, Trigger
from shiftlens.options.pair_choice import BUNDLED_NAMES

_log = logging.getLogger(__name__)


class Analyser:
    """Starts, replaces and cancels the jobs of documents."""

    def __init__(self, session: Session, open_progress: Callable[[str, Callable[[], object]], WorkDone]) -> None:
        self._session = session
        self._open_progress = open_progress
        self._under_way: dict[str, Task] = {}

    def request(self, uri: str, trigger: Trigger) -> None:
        """Look at a document soon; whatever was under way for it is given up."""
        document = self._session.documents.get(uri)
        if document is not None:
            self._start(document, Task(trigger))

    def request_all(self, trigger: Trigger) -> None:
        for uri in list(self._session.documents):
            self.request(uri, trigger)

    async def request_responses(self, uri: str, place: types.Range) -> int:
        """Score the responses that a selection touches, whatever the run policy; how many they are.

        What was under way for the document goes on afterwards.
        """
        session = self._session
        document = session.documents.get(uri)
        if document is None:
            return 0
        settings = await session.configuration.settings(uri)
        unit = session.editor.encoding
        start, end = (offset(document.lines, at, unit) for at in (place.start, place.end))
        parsed = await read_document(session, document, settings)
        if parsed.transcript is None or parsed.text != document.text:
            return 0
        only = touched(parsed.transcript, start, end)
        if only:
            before = self._under_way.get(uri)
            self._start(document, Task(Trigger.COMMAND, only) if before is None else before.with_responses(only))
        return len(only)

    def forget(self, uri: str) -> None:
        """Give up the job of a document that is closed."""
        self._session.scheduler.cancel(uri)
        self._under_way.pop(uri, None)

    def cancel(self, uri: str) -> bool:
        """Give up the job of a document; the colours it has stay. False where nothing was under way."""
        document = self._session.documents.get(uri)
        if document is None or not self._session.scheduler.cancel(uri):
            return False
        self._under_way.pop(uri, None)
        shown = self._session.store.shown(uri)
        if shown is not None and shown.is_complete and shown.version == document.version:
            self._session.set_status(document, Status(State.READY))
        else:
            self._session.set_status(document, Status(State.NOT_SCORED, "Scoring was cancelled."))
        return True

    def use_bundled_pair(self) -> None:
        """Score with the bundled models, for this session, whatever names no pair of its own."""
        self._session.pair = BUNDLED_NAMES
        self.request_all(Trigger.COMMAND)

    def _start(self, document: OpenDocument, task: Task) -> None:
        if task.trigger is Trigger.COMMAND:
            self._session.told.clear()
        self._under_way[document.uri] = task
        delay = document.debounce_seconds if task.trigger is Trigger.EDIT else 0.0
        self._session.scheduler.request(document.uri, lambda: self._guarded(document, task), delay=delay)

    async def _guarded(self, document: OpenDocument, task: Task) -> None:
        try:
            done = [(each, await self._job(document, each).run()) for each in task.in_order()]
            # Colours come first, whatever is to be shown beside them.
            for each, work in done:
                if work is not None:
                    await StagesJob(self._session, work, each, open_progress=self._progress_of(document)).run()
        except Exception as error:
            _log.error("Looking at a document failed with %s", type(error).__name__, exc_info=error)
            status = Status(State.ERROR, "ShiftLens met a fault of its own; its log has the details.")
            self._session.set_status(document, status)
        # A job that was replaced does not come here: it is cancelled.
        self._under_way.pop(document.uri, None)

    def _job(self, document: OpenDocument, task: Task) -> DocumentJob:
        return DocumentJob(
            self._session,
            document,
            task,
            open_progress=self._progress_of(document),
            use_bundled=self.use_bundled_pair,
        )

    def _progress_of(self, document: OpenDocument) -> Callable[[str], WorkDone]:
        return lambda title: self._open_progress(title, lambda: self.cancel(document.uri))

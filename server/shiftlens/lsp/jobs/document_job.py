"""The job of one document: read it, colour what is cached or stored, have the engine score the rest."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from lsprotocol import types

from shiftlens.engine.protocol import Progress
from shiftlens.errors import EngineError, ShiftLensError
from shiftlens.lsp.client.progress import WorkDone
from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.diagnostics import diagnostics_of
from shiftlens.lsp.documents.open import OpenDocument, ParsedDocument
from shiftlens.lsp.jobs.beside import decided_with_sidecar
from shiftlens.lsp.jobs.diagnose import publish_diagnostics, publish_problems, publish_runs
from shiftlens.lsp.jobs.document_work import DocumentWork
from shiftlens.lsp.jobs.offer import offer_pair
from shiftlens.lsp.jobs.read_document import read_document
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.jobs.task import Task, Trigger
from shiftlens.options.pair import FROM_MODELS
from shiftlens.options.pair_choice import Choice, choose_pair
from shiftlens.options.settings import Settings
from shiftlens.pipeline.progress import overall
from shiftlens.pipeline.saved_work import offered_scores, plan_saved_work, why_no_scores
from shiftlens.pipeline.scoring_job import JobEvent, Update, scoring_job
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.pipeline.work import plan_work
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.model import Transcript

_SECONDS_BETWEEN_COLOURS = 0.25

_log = logging.getLogger(__name__)


class DocumentJob:
    """One look at a document. `open_progress` shows the user that models are at work, and lets them be stopped."""

    def __init__(
        self,
        session: Session,
        document: OpenDocument,
        task: Task,
        *,
        open_progress: Callable[[str], WorkDone],
        use_bundled: Callable[[], None],
    ) -> None:
        self._session, self._document, self._task = session, document, task
        self._open_progress, self._use_bundled = open_progress, use_bundled

    async def run(self) -> DocumentWork | None:
        """Do it; what was done, None where that is nothing or it failed, which the user is told.

        Cancelling the awaiting task cancels the job in the engine too.
        """
        settings = await self._session.configuration.settings(self._document.uri)
        self._document.debounce_seconds = settings.debounce_ms / 1000
        parsed = await read_document(self._session, self._document, settings)
        work = await self._planned(parsed, settings)
        return work if work is not None and await self._scored(work, settings) else None

    async def _planned(self, parsed: ParsedDocument, settings: Settings) -> DocumentWork | None:
        """What is to be done; None where that is nothing, and the user is told so."""
        session, document = self._session, self._document
        if parsed.transcript is None:
            await self._diagnose(parsed, ())
            status = _status_without_transcript(parsed, settings)
            if parsed.problem is None:
                self._show_nothing(status)
            else:
                # Half-typed JSON is broken for a moment: its colours stay where the edit left them.
                session.set_status(document, status)
            return None
        choice = choose_pair(settings, parsed.transcript.front_matter, session.pair, trusted=session.trusted)
        await self._diagnose(parsed, choice.problems)
        why = why_nothing(parsed.transcript, choice.score_options.parts)
        if why is not None and not parsed.transcript.responses:
            self._show_nothing(Status(State.NO_RESPONSE, why[0]))
            return None
        if choice.scores != FROM_MODELS:
            return await self._saved(parsed, parsed.transcript, choice)
        requests = Requests(parsed.transcript.responses, parsed.transcript.format)
        choice, decided = await asyncio.to_thread(
            decided_with_sidecar, session, document.uri, choice, settings, requests
        )
        if choice.pair is None:
            why_not = f"{choice.why_not} {offered_scores(parsed.transcript)}".strip()
            self._show_nothing(Status(State.NO_PAIR, f"{why_not} {decided.remark}".strip()))
            offer_pair(session, why_not, self._use_bundled)
            return None
        work = await asyncio.to_thread(
            plan_work,
            parsed.transcript,
            choice.pair,
            choice.score_options,
            only=self._task.only,
            document=document.uri,
            requests=requests,
        )
        return DocumentWork(document, parsed.version, parsed.text, choice, work, decided)

    async def _saved(self, parsed: ParsedDocument, transcript: Transcript, choice: Choice) -> DocumentWork | None:
        """The work where the file's own scores are shown; None where it holds none, and the user is told so."""
        if why := why_no_scores(transcript):
            self._show_nothing(Status(State.NOT_SCORED, why))
            return None
        work = await asyncio.to_thread(
            plan_saved_work,
            transcript,
            choice.score_options,
            only=self._task.only,
            document=self._document.uri,
            cache=self._session.outcomes,
        )
        for key, outcome in work.complete_outcomes():
            self._session.outcomes.put(key, outcome)
        own = dataclasses.replace(choice, score_options=work.options)
        return DocumentWork(self._document, parsed.version, parsed.text, own, work)

    async def _scored(self, work: DocumentWork, settings: Settings) -> bool:
        """Have done what there is to do, as far as the user wants that; False where it failed."""
        session, trigger = self._session, self._task.trigger
        saved = session.saved if settings.result_cache else None
        if trigger is Trigger.COMMAND:
            session.outcomes.forget_refusals(work.work.asked_for())
        succeeded = True
        beside = work.decided.beside.scores
        job = scoring_job(work.work, session.engine, saved=saved, cache=session.outcomes, beside=beside)
        async with aclosing(job) as events:
            await anext(events)
            await self._colour(work)
            wanted = len(work.work.wanted())
            _log.info(
                "%s, version %d: %d responses, %d to score",
                self._document.uri,
                work.version,
                len(work.work.keys),
                wanted,
            )
            if wanted and trigger.scores_under(settings.run_policy) and not work.choice.only_stored:
                session.set_up_engine(settings)
                succeeded = await self._in_turn(work, events)
            else:
                status = work.status()
                session.set_status(self._document, status, version=work.version)
                if wanted and trigger is Trigger.COMMAND:
                    # Who asks for scores is to see why none come.
                    session.editor.show_message(types.MessageType.Warning, f"ShiftLens: {status.message}")
        if saved is not None and trigger is not Trigger.EDIT:
            saved.write(work.work.complete())
        return succeeded

    async def _in_turn(self, work: DocumentWork, events: AsyncGenerator[JobEvent, None]) -> bool:
        """Have the rest scored when no other document is; False where that failed."""
        session, document = self._session, self._document
        slot = session.scheduler.engine_slot
        if slot.locked():
            session.set_status(document, Status(State.WAITING, "Waits until another document is scored."))
        try:
            async with slot:
                session.set_status(document, Status(State.LOADING, "Loading the models."))
                await self._follow(work, events)
        except ShiftLensError as error:
            await self._colour(work)
            self._failed(work, error)
            return False
        await self._colour(work)
        session.told.clear()
        session.set_status(document, work.status(), version=work.version)
        return True

    async def _follow(self, work: DocumentWork, events: AsyncGenerator[JobEvent, None]) -> None:
        """Show what comes of the job until it is done."""
        news = asyncio.Event()
        async with self._open_progress("ShiftLens") as progress, self._colouring(work, news):
            async for event in events:
                if isinstance(event, Progress):
                    state = State.LOADING if event.phase == "loading" else State.SCORING
                    progress.report(event.message, overall(event))
                    status = Status(state, event.message, round(event.fraction, 2), event.part)
                    self._session.set_status(self._document, status)
                elif isinstance(event, Update):
                    news.set()

    @asynccontextmanager
    async def _colouring(self, work: DocumentWork, news: asyncio.Event) -> AsyncIterator[None]:
        """Colours what is new in the meantime, every now and then."""
        painter = asyncio.create_task(self._keep_colouring(work, news))
        try:
            yield
        finally:
            painter.cancel()
            await asyncio.gather(painter, return_exceptions=True)

    async def _keep_colouring(self, work: DocumentWork, news: asyncio.Event) -> None:
        while True:
            await news.wait()
            news.clear()
            await self._colour(work)
            await asyncio.sleep(_SECONDS_BETWEEN_COLOURS)

    async def _colour(self, work: DocumentWork) -> None:
        """Show the results so far."""
        session = self._session
        before = session.store.shown(self._document.uri)
        view = await asyncio.to_thread(work.view, before)
        session.store.show(self._document.uri, view)
        if before is None or before.paints != view.paints or before.text != view.text:
            session.editor.refresh_tokens()
        if before is None or not view.says_the_same_as(before):
            session.editor.refresh_lenses_and_hints()
            await publish_runs(session, self._document, work.version, work.text)

    async def _diagnose(self, parsed: ParsedDocument, extra: tuple[str, ...]) -> None:
        found = await asyncio.to_thread(diagnostics_of, parsed, extra, self._session.editor.encoding)
        self._document.problems = tuple(found)
        await publish_diagnostics(self._session, self._document, parsed.version, parsed.text)

    def _show_nothing(self, status: Status) -> None:
        session, document = self._session, self._document
        if session.store.hide(document.uri):
            session.editor.refresh_tokens()
            session.editor.refresh_lenses_and_hints()
            publish_problems(session, document)
        session.set_status(document, status)

    def _failed(self, work: DocumentWork, error: ShiftLensError) -> None:
        session, message = self._session, str(error)
        _log.warning("%s: scoring failed with %s", self._document.uri, type(error).__name__)
        if isinstance(error, EngineError):
            message = f'{message} Edit the file or run "ShiftLens: Score This File" to try again.'
        session.set_status(self._document, Status(State.ERROR, message), version=work.version)
        if message not in session.told:
            session.told.add(message)
            session.editor.show_message(types.MessageType.Error, f"ShiftLens: {message}")


def _status_without_transcript(parsed: ParsedDocument, settings: Settings) -> Status:
    if parsed.problem is not None:
        return Status(State.ERROR, str(parsed.problem))
    if parsed.too_large:
        most = f"{settings.max_file_bytes:,} bytes (`shiftlens.maxFileBytes`)"
        return Status(State.NO_TRANSCRIPT, f"The file is larger than {most} and was not looked at.")
    return Status(State.NO_TRANSCRIPT)

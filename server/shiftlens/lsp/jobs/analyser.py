"""The job of one document: read it, colour what is known, have the engine score the rest."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lsprotocol import types

from shiftlens.engine.client import Sharing
from shiftlens.engine.protocol import Progress, Refused, Scored
from shiftlens.errors import EngineError, ShiftLensError
from shiftlens.lsp.client.progress import WorkDone
from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.diagnostics import diagnostics_of
from shiftlens.lsp.documents.open import OpenDocument, ParsedDocument, Reading, filename_of, offset, parse
from shiftlens.lsp.documents.store import Refusal
from shiftlens.lsp.jobs.diagnose import publish_diagnostics, publish_problems, publish_runs
from shiftlens.lsp.jobs.pages import is_page, parse_page, stale_pages
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.jobs.work import Work, plan_work, touched
from shiftlens.lsp.views.build import Known, build_view
from shiftlens.options.pair_choice import BUNDLED_NAMES, choose_pair
from shiftlens.options.settings import RunPolicy, Settings
from shiftlens.pipeline.unscored import why_nothing

USE_BUNDLED = "Use the bundled pair"
OPEN_SETTINGS = "Open settings"
CHOOSE_MODELS = "Choose models..."

_LOADING_SHARE = 0.3
_SECONDS_BETWEEN_COLOURS = 0.25

_log = logging.getLogger(__name__)


class Trigger(Enum):
    """Why a document is looked at."""

    OPEN = "open"
    SAVE = "save"
    EDIT = "edit"
    COMMAND = "command"


_POLICIES = {
    Trigger.OPEN: {RunPolicy.ON_OPEN, RunPolicy.ON_SAVE, RunPolicy.ON_TYPE},
    Trigger.SAVE: {RunPolicy.ON_SAVE, RunPolicy.ON_TYPE},
    Trigger.EDIT: {RunPolicy.ON_TYPE},
    Trigger.COMMAND: set(RunPolicy),
}


@dataclass(frozen=True, slots=True)
class _Task:
    """What a document is looked at for: its responses `only` (None: all), and `then` for another reason."""

    trigger: Trigger
    only: frozenset[int] | None = None
    then: Trigger | None = None


OpenProgress = Callable[[str, Callable[[], object]], WorkDone]


class Analyser:
    """Starts, replaces and cancels the jobs of documents."""

    def __init__(self, session: Session, open_progress: OpenProgress) -> None:
        self._session = session
        self._open_progress = open_progress
        self._under_way: dict[str, _Task] = {}

    def request(self, uri: str, trigger: Trigger) -> None:
        """Look at a document soon; whatever was under way for it is given up."""
        document = self._session.documents.get(uri)
        if document is not None:
            self._start(document, _Task(trigger))

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
        parsed = await self.parsed(document, settings)
        if parsed.transcript is None or parsed.text != document.text:
            return 0
        only = touched(parsed.transcript, start, end)
        if only:
            before = self._under_way.get(uri)
            if before is None:
                task = _Task(Trigger.COMMAND, only)
            elif before.only is None:
                task = _Task(Trigger.COMMAND, only, then=before.trigger)
            else:
                task = _Task(Trigger.COMMAND, before.only | only, before.then)
            self._start(document, task)
        return len(only)

    def _start(self, document: OpenDocument, task: _Task) -> None:
        if task.trigger is Trigger.COMMAND:
            self._session.told.clear()
        self._under_way[document.uri] = task
        delay = document.debounce_seconds if task.trigger is Trigger.EDIT else 0.0
        self._session.scheduler.request(document.uri, lambda: self._guarded(document, task), delay=delay)

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

    async def _guarded(self, document: OpenDocument, task: _Task) -> None:
        try:
            await self._look_at(document, task)
            if task.then is not None:
                await self._look_at(document, _Task(task.then))
        except Exception as error:
            _log.error("Looking at a document failed with %s", type(error).__name__, exc_info=error)
            status = Status(State.ERROR, "ShiftLens met a fault of its own; its log has the details.")
            self._session.set_status(document, status)
        # A job that was replaced does not come here: it is cancelled.
        self._under_way.pop(document.uri, None)

    async def _look_at(self, document: OpenDocument, task: _Task) -> None:
        session, trigger = self._session, task.trigger
        settings = await session.configuration.settings(document.uri)
        document.debounce_seconds = settings.debounce_ms / 1000
        parsed = await self.parsed(document, settings)
        if parsed.transcript is None:
            await self._diagnose(document, parsed, ())
            status = _status_without_transcript(parsed, settings)
            if parsed.problem is None:
                self._show_nothing(document, status)
            else:
                # Half-typed JSON is broken for a moment: its colours stay where the edit left them.
                session.set_status(document, status)
            return
        choice = choose_pair(settings, parsed.transcript.front_matter, session.pair, trusted=session.trusted)
        await self._diagnose(document, parsed, choice.problems)
        why = why_nothing(parsed.transcript, choice.score_options.parts)
        if why is not None and not parsed.transcript.responses:
            self._show_nothing(document, Status(State.NO_RESPONSE, why[0]))
            return
        if choice.pair is None:
            self._show_nothing(document, Status(State.NO_PAIR, choice.why_not))
            self._offer_pair(choice.why_not)
            return
        work = await asyncio.to_thread(plan_work, document, parsed, parsed.transcript, choice, choice.pair, task.only)
        self._recall(work, forget_refusals=trigger is Trigger.COMMAND)
        if settings.result_cache and work.is_missing_any:
            await self._recall_saved(work)
        await self._colour(work)
        counts = (len(work.keys), len(work.wanted()))
        _log.info("%s, version %d: %d responses, %d to score", document.uri, work.version, *counts)
        if work.wanted() and settings.run_policy in _POLICIES[trigger] and not choice.only_stored:
            session.engine.sharing = Sharing.SHARED if settings.share_engine else Sharing.OWN
            session.engine.idle_minutes = settings.engine_idle_minutes
            await self._score(work)
        else:
            self._finished(work)
        if settings.result_cache and trigger is not Trigger.EDIT:
            session.saved.write(work.complete(), work.kept, work.done)

    async def parsed(self, document: OpenDocument, settings: Settings) -> ParsedDocument:
        """The document as it is now, read if it was not yet: once, also where several want it."""
        async with document.read_lock:
            return await self._parsed(document, settings)

    async def _parsed(self, document: OpenDocument, settings: Settings) -> ParsedDocument:
        version, text = document.version, document.text
        reading = Reading(filename_of(document.uri), settings.format, settings.max_file_bytes)
        parsed = document.parsed
        if parsed is None or parsed.reading != reading or parsed.text != text:
            if is_page(document.uri):
                parsed = await parse_page(self._session, document, reading)
            else:
                parsed = await asyncio.to_thread(parse, version, text, reading)
                for page_uri in stale_pages(self._session, document.uri, text):
                    self._session.editor.refresh_page(page_uri)
        else:
            parsed = dataclasses.replace(parsed, version=version)
        document.parsed = parsed
        return parsed

    async def _diagnose(self, document: OpenDocument, parsed: ParsedDocument, extra: tuple[str, ...]) -> None:
        found = await asyncio.to_thread(diagnostics_of, parsed, extra, self._session.editor.encoding)
        document.problems = tuple(found)
        await publish_diagnostics(self._session, document, parsed.version, parsed.text)

    def _show_nothing(self, document: OpenDocument, status: Status) -> None:
        if self._session.store.hide(document.uri):
            self._session.editor.refresh_tokens()
            self._session.editor.refresh_lenses_and_hints()
            publish_problems(self._session, document)
        self._session.set_status(document, status)

    def _offer_pair(self, why: str) -> None:
        """Once per session: scoring without being asked to would load models nobody chose."""
        if not self._session.offered_pair:
            self._session.offered_pair = True
            self._session.in_background(self._ask_for_pair(why))

    async def _ask_for_pair(self, why: str) -> None:
        message = f"ShiftLens found a transcript, but can't score it. {why}"
        other = CHOOSE_MODELS if self._session.picks_models else OPEN_SETTINGS
        answer = await self._session.editor.ask(message, (USE_BUNDLED, other))
        if answer == USE_BUNDLED:
            self.use_bundled_pair()
        elif answer == OPEN_SETTINGS:
            self._session.editor.open_settings()
        elif answer == CHOOSE_MODELS:
            self._session.editor.choose_models()

    def use_bundled_pair(self) -> None:
        """Score with the bundled models, for this session, whatever names no pair of its own."""
        self._session.pair = BUNDLED_NAMES
        self.request_all(Trigger.COMMAND)

    def _recall(self, work: Work, *, forget_refusals: bool) -> None:
        forgettable = work.asked_for() if forget_refusals else ()
        for key in work.keys:
            outcome = self._session.store.outcome(key)
            if isinstance(outcome, Refusal) and key in forgettable:
                self._session.store.forget((key,))
            elif outcome is not None:
                work.known[key] = Known(outcome)

    async def _recall_saved(self, work: Work) -> None:
        """Take from the disk what is not in memory, without any model."""
        options = work.choice.score_options
        work.kept, found = await self._session.saved.recall(work.pair, options, work.missing())
        for key, scored in found.items():
            self._session.store.keep(key, scored)
            work.known[key] = Known(scored)

    async def _colour(self, work: Work) -> None:
        """Show what is known so far."""
        store = self._session.store
        uri = work.document.uri
        before = store.shown(uri)
        known = tuple(work.known.get(key) for key in work.keys)
        view = await asyncio.to_thread(
            build_view,
            before,
            known,
            version=work.version,
            text=work.text,
            transcript=work.transcript,
            pair=work.pair,
            score_options=work.choice.score_options,
            classify_options=work.choice.classify_options,
            edits=work.document.edits_between(before, work.version, work.text) if before is not None else None,
        )
        store.show(uri, view)
        if before is None or before.paints != view.paints or before.text != view.text:
            self._session.editor.refresh_tokens()
        if before is None or not view.says_the_same_as(before):
            self._session.editor.refresh_lenses_and_hints()
            await publish_runs(self._session, work.document, work.version, work.text)

    def _finished(self, work: Work) -> None:
        self._session.set_status(work.document, work.outcome_status(), version=work.version)

    async def _score(self, work: Work) -> None:
        session, document = self._session, work.document
        slot = session.scheduler.engine_slot
        if slot.locked():
            session.set_status(document, Status(State.WAITING, "Waits until another document is scored."))
        try:
            async with slot:
                session.set_status(document, Status(State.LOADING, "Loading the models."))
                await self._have_scored(work)
        except ShiftLensError as error:
            await self._colour(work)
            self._failed(work, error)
        else:
            await self._colour(work)
            session.told.clear()
            self._finished(work)

    async def _have_scored(self, work: Work) -> None:
        session = self._session
        wanted = work.wanted()
        keys = tuple(wanted)
        news = asyncio.Event()

        def on_scored(message: Scored) -> None:
            key = keys[message.index]
            work.known[key] = Known(message.scored, partial=message.partial)
            if not message.partial:
                session.store.keep(key, message.scored)
                # The engine may hold models whose files have changed since it loaded them.
                if work.kept is not None and message.fingerprints == work.kept.fingerprints:
                    kept_as = work.kept.key(work.choice.score_options, wanted[key], message.matrix_library)
                    session.saved.note(key, kept_as)
            news.set()

        def on_refused(message: Refused) -> None:
            refusal = Refusal(message.problem, message.remedy)
            work.known[keys[message.index]] = Known(refusal)
            session.store.keep(keys[message.index], refusal)
            news.set()

        async with self._open_progress("ShiftLens", lambda: self.cancel(work.document.uri)) as progress:

            def on_progress(message: Progress) -> None:
                state = State.LOADING if message.phase == "loading" else State.SCORING
                progress.report(message.message, _overall(message))
                status = Status(state, message.message, round(message.fraction, 2), message.part)
                session.set_status(work.document, status)

            painter = asyncio.create_task(self._keep_colouring(work, news))
            try:
                work.done = await session.engine.score(
                    work.pair,
                    work.choice.score_options,
                    tuple(wanted.values()),
                    document=work.document.uri,
                    on_progress=on_progress,
                    on_scored=on_scored,
                    on_refused=on_refused,
                )
            finally:
                painter.cancel()
                await asyncio.gather(painter, return_exceptions=True)

    async def _keep_colouring(self, work: Work, news: asyncio.Event) -> None:
        while True:
            await news.wait()
            news.clear()
            await self._colour(work)
            await asyncio.sleep(_SECONDS_BETWEEN_COLOURS)

    def _failed(self, work: Work, error: ShiftLensError) -> None:
        message = str(error)
        _log.warning("%s: scoring failed with %s", work.document.uri, type(error).__name__)
        if isinstance(error, EngineError):
            message = f'{message} Edit the file or run "ShiftLens: Score This File" to try again.'
        self._session.set_status(work.document, Status(State.ERROR, message), version=work.version)
        if message not in self._session.told:
            self._session.told.add(message)
            self._session.editor.show_message(types.MessageType.Error, f"ShiftLens: {message}")


def _overall(message: Progress) -> float:
    """A bar must not go back when scoring follows loading, so that loading has its first part."""
    loading = message.phase == "loading"
    return _LOADING_SHARE * message.fraction if loading else _LOADING_SHARE + (1 - _LOADING_SHARE) * message.fraction


def _status_without_transcript(parsed: ParsedDocument, settings: Settings) -> Status:
    if parsed.problem is not None:
        return Status(State.ERROR, str(parsed.problem))
    if parsed.too_large:
        most = f"{settings.max_file_bytes:,} bytes (`shiftlens.maxFileBytes`)"
        return Status(State.NO_TRANSCRIPT, f"The file is larger than {most} and was not looked at.")
    return Status(State.NO_TRANSCRIPT)

"""The job beside that of a document: its responses under the stages that the user named, once it has its colours."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from shiftlens.analysis.stages_at import StageScores, compared
from shiftlens.engine.protocol import Progress
from shiftlens.errors import EngineError, ShiftLensError
from shiftlens.lsp.client.progress import WorkDone
from shiftlens.lsp.documents.store import DocumentAnalysis, ResponseResult
from shiftlens.lsp.jobs.document_work import DocumentWork
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.jobs.task import Task, Trigger
from shiftlens.options.pair_choice import StagesChoice, choose_stages
from shiftlens.options.settings import Settings
from shiftlens.pipeline.progress import overall
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import Update, recall
from shiftlens.pipeline.several_job import several_job
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.scores.records import ScoredResponse

_SECONDS_BETWEEN_VIEWS = 0.25

_log = logging.getLogger(__name__)


class StagesJob:
    """One look at the stages of a document. It runs after the document's own job, whose `work` it goes on from.

    A stage that can't be scored changes nothing of the colours: hovers and the panel say why it has no numbers.
    """

    def __init__(
        self, session: Session, work: DocumentWork, task: Task, *, open_progress: Callable[[str], WorkDone]
    ) -> None:
        self._session, self._work, self._task = session, work, task
        self._open_progress = open_progress
        # Of the document itself, which this job does not change.
        self._status = work.status()
        self._chosen = StagesChoice()
        self._works: dict[str, Work] = {}
        self._shown_at = 0.0

    async def run(self) -> None:
        """Recall what is stored, have the engine score the rest where the user's run policy has it do so.

        Cancelling the awaiting task cancels the job in the engine too.
        """
        session, own = self._session, self._work
        settings = await session.configuration.settings(own.document.uri)
        self._chosen = choose_stages(settings, own.work.pair, trusted=session.trusted)
        view = session.store.shown(own.document.uri)
        if view is None:
            return
        if not self._chosen.names:
            if any(result.stages for result in view.results):
                await self._show()
            if self._chosen.why_not:
                self._say(self._chosen.why_not)
            return
        complete = frozenset(at for at, result in enumerate(view.results) if _pair_of(result) is not None)
        if complete:
            await self._plan(complete)
            await self._recalled_and_scored(settings)
            self._say(_words(session.store.shown(own.document.uri)))

    async def _plan(self, complete: frozenset[int]) -> None:
        """Plan the work under each stage but the aligned model itself, which is scored already."""
        own = self._work.work
        only = complete if self._task.only is None else complete & self._task.only

        def plan(name: str) -> Work:
            pair = replace(own.pair, aligned=name)
            return plan_work(own.transcript, pair, own.options, only=only, requests=own.requests)

        names = [name for name in self._chosen.names if name != own.pair.aligned]
        self._works = await asyncio.to_thread(lambda: {name: plan(name) for name in names})

    async def _recalled_and_scored(self, settings: Settings) -> None:
        session, trigger, works = self._session, self._task.trigger, self._works
        saved = session.saved if settings.result_cache else None
        for work in works.values():
            if trigger is not Trigger.EDIT:
                session.failed_stages.pop(work.pair, None)
            if trigger is Trigger.COMMAND:
                session.outcomes.forget_refusals(work.asked_for())
            await recall(work, saved, session.outcomes)
        await self._show()
        may_load = trigger.scores_under(settings.run_policy) and not self._work.choice.only_stored
        asked = [work for work in works.values() if may_load and work.wanted_at() and not self._why_none(work)]
        if asked:
            session.set_up_engine(settings)
            async with self._open_progress("ShiftLens: stages") as progress:
                await self._score(asked, saved, progress)
            await self._show()
        if saved is not None and trigger is not Trigger.EDIT:
            saved.write({key: scores for work in works.values() for key, scores in work.complete().items()})

    async def _score(self, works: Sequence[Work], saved: SavedResults | None, progress: WorkDone) -> None:
        """Have the rest scored, as often as that is put off."""
        slot, finished = self._session.scheduler.engine_slot, False
        try:
            while not finished:
                async with slot.beside():
                    finished = await self._until_wanted(works, saved, progress)
        except ShiftLensError as error:
            if len(works) == 1 or isinstance(error, EngineError):
                _log.warning("%s: stages failed with %s", self._work.document.uri, type(error).__name__)
                self._session.failed_stages.update((work.pair, str(error)) for work in works if work.wanted_at())
                return
            # One model that can't be used ends the job of all: each by itself, then.
            for work in works:
                await self._score([work], saved, progress)

    async def _until_wanted(self, works: Sequence[Work], saved: SavedResults | None, progress: WorkDone) -> bool:
        """Score until a document waits for its colours; False where that was before the end."""
        session = self._session
        job = several_job(works, session.engine, saved=saved, cache=session.outcomes)
        async with aclosing(job) as events:
            async for event in events:
                if isinstance(event, Progress):
                    progress.report(event.message, overall(event))
                    self._say(f"Stages: {event.message}")
                elif isinstance(event, Update) and time.monotonic() - self._shown_at > _SECONDS_BETWEEN_VIEWS:
                    await self._show()
                if session.scheduler.engine_slot.is_wanted:
                    return False
        return True

    async def _show(self) -> None:
        """Put what is known of the stages beside the analyses that are shown."""
        store, uri = self._session.store, self._work.document.uri
        view = store.shown(uri)
        if view is not None:
            store.show(uri, await asyncio.to_thread(self._beside, view))
        self._shown_at = time.monotonic()

    def _beside(self, view: DocumentAnalysis) -> DocumentAnalysis:
        results = []
        for at, result in enumerate(view.results):
            pair, before = _pair_of(result), {stage.model: stage for stage in result.stages}
            stages: tuple[StageScores, ...] = ()
            if pair is not None:
                stages = tuple(self._stage(at, pair, name, before.get(name)) for name in self._chosen.names)
            results.append(result if stages == result.stages else replace(result, stages=stages))
        return replace(view, results=tuple(results))

    def _stage(self, at: int, pair: ScoredResponse, name: str, before: StageScores | None) -> StageScores:
        if name not in self._works:
            return StageScores(name, pair)
        work = self._works[name]
        found = work.results.get(work.keys[at])
        if found is None or found.partial:
            return StageScores(name, None, self._why_none(work))
        if not isinstance(found.outcome, ScoredResponse):
            return StageScores(name, None, str(found.outcome))
        if before is not None and before.scores is found.outcome:
            return before
        return compared(pair, name, found.outcome)

    def _why_none(self, work: Work) -> str:
        """Why a stage is not to be scored; "" where it is."""
        if self._work.choice.only_stored:
            return self._work.choice.why_not
        if work.pair.aligned in self._chosen.only_stored:
            return self._chosen.why_only_stored
        return self._session.failed_stages.get(work.pair, "")

    def _say(self, words: str) -> None:
        """Say it behind what is said of the document itself."""
        said = replace(self._status, message=f"{self._status.message} {words}".strip())
        self._session.set_status(self._work.document, said, version=self._work.version)


def _pair_of(result: ResponseResult) -> ScoredResponse | None:
    """The scores of a response under a pair; None where not all of it has any."""
    scored = None if result.analysis is None or result.partial else result.analysis.scored
    return scored if isinstance(scored, ScoredResponse) else None


def _words(view: DocumentAnalysis | None) -> str:
    """How many stages are shown, and how many of them not everywhere."""
    each = [result.stages for result in view.results if result.stages] if view is not None else []
    if not each:
        return ""
    count = len(each[0])
    gaps = sum(any(stages[at].compared is None for stages in each) for at in range(count))
    shown = f"{count} stage{'' if count == 1 else 's'} in hovers and the panel"
    return f"{shown}, {gaps} of them not for every response: it says why there." if gaps else f"{shown}."

"""All that the server knows while it runs, in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.lsp.client.configuration import Configuration
from shiftlens.lsp.client.editor import Editor
from shiftlens.lsp.client.status import Status
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.documents.store import AnalysisStore
from shiftlens.lsp.jobs.scheduler import Scheduler
from shiftlens.options.pair import PairSpec
from shiftlens.options.settings import Settings
from shiftlens.page.build import Page
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.sidecars import Sidecars
from shiftlens.scores.location import user_store
from shiftlens.scores.outcomes import OutcomeCache

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """Lives on the event loop. `pair` is the pair (base, aligned) that the user chose for this session.

    `pages` are those that the client asked for, by URI.

    `failed_stages` are pairs with a stage that could not be scored, and why; an edit does not try them again.

    `picks_models` tells whether the editor has a list of its own to choose a pair from.
    """

    editor: Editor
    configuration: Configuration
    engine: EngineClient
    store: AnalysisStore = field(default_factory=AnalysisStore)
    outcomes: OutcomeCache = field(default_factory=OutcomeCache)
    saved: SavedResults = field(default_factory=lambda: SavedResults(user_store()))
    sidecars: Sidecars = field(default_factory=Sidecars)
    scheduler: Scheduler = field(default_factory=Scheduler)
    documents: dict[str, OpenDocument] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    trusted: bool = True
    picks_models: bool = False
    pair: tuple[str, str] | None = None
    offered_pair: bool = False
    told: set[str] = field(default_factory=set)
    failed_stages: dict[PairSpec, str] = field(default_factory=dict)
    _background: set[asyncio.Task[Any]] = field(default_factory=set)

    def set_status(self, document: OpenDocument, status: Status, *, version: int | None = None) -> None:
        """Say where a document stands, if that is news."""
        at = document.version if version is None else version
        if (document.status, document.status_version) != (status, at):
            document.status, document.status_version = status, at
            self.editor.show_status(document.uri, at, status)

    def set_up_engine(self, settings: Settings) -> None:
        """Have the next jobs of the engine run as these settings say."""
        self.engine.sharing = Sharing.SHARED if settings.share_engine else Sharing.OWN
        self.engine.idle_minutes = settings.engine_idle_minutes

    def in_background(self, work: Coroutine[Any, Any, object]) -> None:
        """Run something that no handler should wait for."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._settled)

    async def close(self, *, release: bool = False) -> None:
        """Stop every job, leave the engine (see `EngineClient.close`), and end what is being written."""
        for task in list(self._background):
            task.cancel()
        await self.scheduler.close()
        await asyncio.gather(self.engine.close(release=release), self.saved.close())

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("Background work failed with %s", type(error).__name__, exc_info=error)

"""The light side of the engine: joins or starts one, sends jobs, hands out replies.

An engine starts with the first job, and is shared with every client of this user that asks for the same pair. When it
dies, the jobs in flight fail with an EngineError and the next job starts a new one. No torch here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from shiftlens.engine.links import EngineLeft, Job, Link, OwnEngine, SharedEngine
from shiftlens.engine.protocol import (
    MAX_FRAME_BYTES,
    Cancel,
    Describe,
    Described,
    Done,
    Forget,
    Progress,
    Refused,
    ResponseToScore,
    Score,
    Scored,
    Unload,
)
from shiftlens.engine.sharing.host_protocol import Hello
from shiftlens.engine.sharing.joining import SUPPORTED, NoHost, join, join_running
from shiftlens.engine.sharing.naming import as_named, located, needs_working_folder
from shiftlens.engine.sharing.place import Place, UnfitFolder, place_for, program_build
from shiftlens.errors import EngineError, ScoringError
from shiftlens.options.pair import DEFAULT_IDLE_MINUTES, PairSpec, ScoreOptions
from shiftlens.scores.requests import least_bytes

_TRIES = 5
_UNLOAD_SECONDS = 5.0


class Sharing(Enum):
    """Whose engine a client uses: one for all clients, one of its own, or a shared one only if it runs already."""

    SHARED = "shared"
    OWN = "own"
    SHARED_IF_RUNNING = "sharedIfRunning"


class EngineClient:
    """Talks to the engine of one pair at a time. Use it from one event loop.

    `on_log` gets the engine's stderr by lines, `idle_minutes` is how long a shared engine keeps its models
    without work while clients stay, 0 for ever. Both `sharing` and `idle_minutes` may be changed at any time.
    `background` says that jobs are asked for by an editor, not by a user who waits: see `worker.urgency`.
    """

    def __init__(
        self,
        *,
        sharing: Sharing = Sharing.SHARED,
        idle_minutes: float = DEFAULT_IDLE_MINUTES,
        on_log: Callable[[str], None] | None = None,
        background: bool = False,
    ) -> None:
        self.sharing = sharing
        self.idle_minutes = idle_minutes
        self._on_log = on_log or (lambda _: None)
        self._background = background
        self._links: dict[PairSpec | None, Link] = {}
        self._latest: Link | None = None
        self._linking = asyncio.Lock()
        self._opening: tuple[PairSpec | None, asyncio.Task[None]] | None = None
        self._told_of_folder = False
        self._next_job = 0

    @property
    def pid(self) -> int | None:
        """Process id of the engine that got the last job, None while it does not run."""
        return self._latest.pid if self._latest is not None else None

    async def score(
        self,
        pair: PairSpec,
        options: ScoreOptions,
        responses: Sequence[ResponseToScore],
        *,
        document: str = "",
        on_progress: Callable[[Progress], None] | None = None,
        on_scored: Callable[[Scored], None] | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> Done:
        """Score responses; the listeners hear of each as it comes. `document` names what to `forget`.

        Cancelling the awaiting task cancels the job. Raises ModelError when the pair can't be used, ScoringError
        when nothing can be scored, EngineError when the process does not start or ends early.
        """
        if least_bytes(responses) > MAX_FRAME_BYTES:
            # Encoding it to find that out would fill the memory.
            raise _too_much()
        request = Score(
            job=self._new_job(), pair=located(pair), options=options, responses=tuple(responses), document=document
        )
        answer = await self._ask(request, on_progress, on_scored, on_refused)
        if not isinstance(answer, Done):
            raise EngineError(f"The engine answered a score request with {type(answer).__name__}.")
        return as_named(answer, pair)

    async def describe(self, pair: PairSpec, *, on_progress: Callable[[Progress], None] | None = None) -> Described:
        """Load a pair and say what it is. Raises ModelError, EngineError."""
        answer = await self._ask(Describe(job=self._new_job(), pair=located(pair)), on_progress)
        if not isinstance(answer, Described):
            raise EngineError(f"The engine answered a describe request with {type(answer).__name__}.")
        return as_named(answer, pair)

    def forget(self, document: str) -> None:
        """Have the engine let go of what it keeps for edits of a document that was scored under this name."""
        for link in self._links.values():
            if link.is_open:
                link.post(Forget(document=document))

    async def unload(self, pairs: Iterable[PairSpec] = ()) -> bool:
        """Give the models' memory back by ending the engine, for all who share it; the next job starts another.

        Ended are the engines that this client uses, and the shared ones of `pairs`, whoever has started them. False
        where there is none. Raises EngineError where one does not answer: its models are still loaded.
        """
        found, silent = False, await self._join_those_of(pairs)
        for known, link in list(self._links.items()):
            if not link.is_open:
                continue
            found = True
            try:
                asked = self._ask_on(link, Unload(job=self._new_job()), Job(_future()))
                await asyncio.wait_for(asked, _UNLOAD_SECONDS)
            except asyncio.TimeoutError:
                # An engine of our own is ended below whether it answers or not.
                silent = link.unanswered() or silent
                del self._links[known]
                await link.close(release=False)
            except (EngineError, EngineLeft):
                # It has gone already.
                continue
        await self._leave(release=True)
        if silent is not None:
            raise silent
        return found

    async def _join_those_of(self, pairs: Iterable[PairSpec]) -> EngineError | None:
        """Connect to the shared engines of pairs, where they run; what there is to say of one that does not answer."""
        silent = None
        if self.sharing is Sharing.OWN:
            return silent
        for pair in map(located, pairs):
            place = self._place(pair)
            if place is None or (pair in self._links and self._links[pair].is_open):
                continue
            hello = self._hello(place)
            try:
                connection = await join_running(place, hello, _UNLOAD_SECONDS)
            except NoHost:
                continue
            except EngineError as error:
                silent = error
                continue
            async with self._linking:
                self._links[pair] = SharedEngine(connection, place, hello, self._on_log)
        return silent

    async def close(self) -> None:
        """Leave the engine. One of our own ends, a shared one goes on for its other clients."""
        await self._leave(release=False)

    def kill(self) -> None:
        """Stop the engine without asking, for all who share it. Jobs in flight fail with an EngineError."""
        for link in self._links.values():
            link.kill()

    def _new_job(self) -> int:
        self._next_job += 1
        return self._next_job

    async def _ask(
        self,
        request: Score | Describe,
        on_progress: Callable[[Progress], None] | None = None,
        on_scored: Callable[[Scored], None] | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> Done | Described:
        for _ in range(_TRIES):
            link = await self._linked(request.pair)
            try:
                return await self._ask_on(link, request, Job(_future(), on_progress, on_scored, on_refused))
            except EngineLeft:
                continue
        raise EngineError("The engine ended each time before it was asked.", "Ask again.")

    async def _ask_on(self, link: Link, request: Score | Describe | Unload, job: Job) -> Done | Described:
        if not link.is_open:
            # It ended between its opening and this; nobody would answer.
            raise EngineLeft
        link.jobs[request.job] = job
        try:
            await link.send(request)
            # Shielded: a task that is cancelled would cancel the answer too, which then looks like one of the engine's.
            return await asyncio.shield(job.answer)
        except asyncio.CancelledError:
            if link.is_open and not job.answer.done():
                link.post(Cancel(job=request.job))
            raise
        except ValueError as error:
            raise _too_much() from error
        finally:
            link.jobs.pop(request.job, None)

    async def _linked(self, pair: PairSpec) -> Link:
        """The engine of a pair. Those of other pairs are let go of first, so that two pairs need not fit in memory.

        One of a pair that shares a model with this goes on as the engine of this, if nobody else uses it.
        """
        async with self._linking:
            place = self._place(pair)
            # An engine of our own takes any pair.
            wanted = None if place is None else pair
            kin: PairSpec | None = None
            for known, link in list(self._links.items()):
                if link.is_open and (known == wanted or link.jobs):
                    continue
                if kin is None and self._can_become(link, known, wanted):
                    kin = known
                else:
                    del self._links[known]
                    await link.close(release=True)
            if wanted not in self._links:
                await self._opened(wanted, place, kin)
            self._latest = self._links[wanted]
            self._latest.wish(60 * self.idle_minutes)
            return self._latest

    def _can_become(self, link: Link, known: PairSpec | None, wanted: PairSpec | None) -> bool:
        """Whether the engine of one pair may go on as that of another."""
        if known is None or wanted is None or wanted in self._links or self.sharing is not Sharing.SHARED:
            return False
        return link.is_open and known.shares_a_model(wanted)

    def _place(self, pair: PairSpec) -> Place | None:
        """Where a shared engine is met, None for one of our own."""
        if self.sharing is Sharing.OWN or not SUPPORTED or needs_working_folder(pair):
            return None
        try:
            return place_for(pair, program_build())
        except UnfitFolder as unfit:
            if not self._told_of_folder:
                self._told_of_folder = True
                self._on_log(f"No engine is shared with other windows. {unfit}")
            return None

    async def _opened(self, pair: PairSpec | None, place: Place | None, kin: PairSpec | None) -> None:
        """Opening takes a moment; who asked may give up meanwhile, but the next one finds it done."""
        if self._opening is not None and self._opening[0] != pair:
            await asyncio.gather(self._opening[1], return_exceptions=True)
            self._opening = None
        if self._opening is None:
            self._opening = pair, asyncio.create_task(self._open(pair, place, kin))
        opening = self._opening[1]
        try:
            await asyncio.shield(opening)
        finally:
            if opening.done():
                self._opening = None

    async def _open(self, pair: PairSpec | None, place: Place | None, kin: PairSpec | None) -> None:
        link: Link | None = None
        if pair is not None and place is not None:
            link = await self._moved(kin, pair, place) or await self._share(pair, place)
        self._links[pair] = link or await OwnEngine.start(self._on_log, less_urgent=self._background)

    async def _moved(self, kin: PairSpec | None, pair: PairSpec, place: Place) -> Link | None:
        """The engine of `kin` as that of `pair`; None where it can't be, after leaving it."""
        if kin is None or kin not in self._links or self._links[kin].jobs:
            return None
        link, has_moved = self._links.pop(kin), False
        try:
            has_moved = await link.move(place, pair)
        finally:
            if not has_moved:
                await link.close(release=True)
        return link if has_moved else None

    async def _share(self, pair: PairSpec, place: Place) -> Link | None:
        hello = self._hello(place)
        if self.sharing is Sharing.SHARED:
            connection = await join(place, pair, hello)
        else:
            try:
                connection = await join_running(place, hello)
            except NoHost:
                return None
        return SharedEngine(connection, place, hello, self._on_log)

    def _hello(self, place: Place) -> Hello:
        return Hello(
            build=program_build(),
            idle_seconds=60 * self.idle_minutes,
            place=place.name,
            background=self._background,
        )

    async def _leave(self, *, release: bool) -> None:
        if self._opening is not None:
            self._opening[1].cancel()
            await asyncio.gather(self._opening[1], return_exceptions=True)
            self._opening = None
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.close(release=release) for link in links))


def _future() -> asyncio.Future[Done | Described]:
    return asyncio.get_running_loop().create_future()


def _too_much() -> ScoringError:
    return ScoringError(
        "There is too much text to score in one go: each response is sent with all that came before it.",
        "Score some of the responses at a time (in an editor, select them), or split the file.",
    )

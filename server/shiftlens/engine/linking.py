"""Which engine a client's jobs go to: the links to engines that it has, opened when a job needs one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from shiftlens.engine.links import Link, OwnEngine
from shiftlens.engine.sharing.endpoint import Endpoint, UnfitFolder, endpoint_for, program_build
from shiftlens.engine.sharing.host_protocol import Hello
from shiftlens.engine.sharing.joining import SUPPORTED, NoHost, join, join_running
from shiftlens.engine.sharing.link import SharedEngine
from shiftlens.engine.sharing.naming import needs_working_folder
from shiftlens.errors import EngineError
from shiftlens.options.pair import PairSpec


class Sharing(Enum):
    """Whose engine a client uses: one for all clients, one of its own, or a shared one only if it runs already."""

    SHARED = "shared"
    OWN = "own"
    SHARED_IF_RUNNING = "sharedIfRunning"


class Links:
    """The engines of one client: mostly one, shared or its own. Use it from one event loop.

    `sharing` and `idle_seconds` may be changed at any time, and count from the next job on.
    """

    def __init__(
        self, *, sharing: Sharing, idle_seconds: float, on_log: Callable[[str], None], background: bool
    ) -> None:
        self.sharing = sharing
        self.idle_seconds = idle_seconds
        self._on_log = on_log
        self._background = background
        # By the endpoint of a shared engine, None for one of our own, which takes any pair.
        self._links: dict[Endpoint | None, Link] = {}
        self._latest: Link | None = None
        self._linking = asyncio.Lock()
        self._opening: tuple[Endpoint | None, asyncio.Task[None]] | None = None
        self._told_of_folder = False

    @property
    def pid(self) -> int | None:
        """Process id of the engine that got the last job, None while it does not run."""
        return self._latest.pid if self._latest is not None else None

    def open_links(self) -> list[Link]:
        """Those to engines that run."""
        return [link for link in self._links.values() if link.is_open]

    async def to_engine_of(self, pair: PairSpec) -> Link:
        """The link to the engine that a job of this pair goes to, opened if need be. Raises EngineError.

        Other engines are left first, unless jobs are under way there: the models of two need not fit in memory.
        """
        async with self._linking:
            is_own = self.sharing is Sharing.OWN or needs_working_folder(pair)
            wanted = None if is_own else self._endpoint(allow_pickle=pair.allow_pickle)
            await self._settle_opening(wanted)
            for endpoint, link in list(self._links.items()):
                if not link.is_open or (endpoint != wanted and not link.jobs):
                    del self._links[endpoint]
                    await link.close(release=True)
            if wanted not in self._links:
                await self._opened(wanted, allow_pickle=pair.allow_pickle)
            self._latest = self._links[wanted]
            self._latest.allow_idle(self.idle_seconds)
            return self._latest

    async def to_others_that_run(self, seconds: float) -> tuple[list[Link], EngineError | None]:
        """Links to the shared engines that this client could use but does not, where they run; the caller closes them.

        The second value is the error of one that has not answered within these seconds.
        """
        found: list[Link] = []
        silent = None
        for allow_pickle in (False, True) if self.sharing is not Sharing.OWN else ():
            endpoint = self._endpoint(allow_pickle=allow_pickle)
            if endpoint is None or (endpoint in self._links and self._links[endpoint].is_open):
                continue
            hello = self._hello()
            try:
                connection = await join_running(endpoint, hello, seconds)
            except NoHost:
                continue
            except EngineError as error:
                silent = error
            else:
                found.append(SharedEngine(connection, endpoint, hello, self._on_log))
        return found, silent

    async def drop(self, link: Link) -> None:
        """Leave one engine."""
        self._links = {endpoint: other for endpoint, other in self._links.items() if other is not link}
        await link.close()

    async def leave(self, *, release: bool) -> None:
        """Leave every engine; see `Link.close` for `release`."""
        if self._opening is not None:
            self._opening[1].cancel()
            await asyncio.gather(self._opening[1], return_exceptions=True)
            self._opening = None
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.close(release=release) for link in links))

    def kill(self) -> None:
        """Stop every engine without asking."""
        for link in self._links.values():
            link.kill()

    def _endpoint(self, *, allow_pickle: bool) -> Endpoint | None:
        """Where a shared engine is met, None where none can be shared."""
        if not SUPPORTED:
            return None
        try:
            return endpoint_for(program_build(), allow_pickle=allow_pickle)
        except UnfitFolder as unfit:
            if not self._told_of_folder:
                self._told_of_folder = True
                self._on_log(f"No engine is shared with other windows. {unfit}")
            return None

    async def _settle_opening(self, wanted: Endpoint | None) -> None:
        """Wait for a link that was being opened when its caller gave up; only an open one can be left."""
        if self._opening is not None and self._opening[0] != wanted:
            await asyncio.gather(self._opening[1], return_exceptions=True)
            self._opening = None

    async def _opened(self, endpoint: Endpoint | None, *, allow_pickle: bool) -> None:
        """Open a link. A caller that is cancelled meanwhile does not stop this: the next one finds the link open."""
        if self._opening is None:
            self._opening = endpoint, asyncio.create_task(self._open(endpoint, allow_pickle=allow_pickle))
        opening = self._opening[1]
        try:
            await asyncio.shield(opening)
        finally:
            if opening.done():
                self._opening = None

    async def _open(self, endpoint: Endpoint | None, *, allow_pickle: bool) -> None:
        link = None if endpoint is None else await self._share(endpoint, allow_pickle=allow_pickle)
        self._links[endpoint] = link or await OwnEngine.start(self._on_log, less_urgent=self._background)

    async def _share(self, endpoint: Endpoint, *, allow_pickle: bool) -> Link | None:
        hello = self._hello()
        if self.sharing is Sharing.SHARED:
            connection = await join(endpoint, hello, allow_pickle=allow_pickle)
        else:
            try:
                connection = await join_running(endpoint, hello)
            except NoHost:
                return None
        return SharedEngine(connection, endpoint, hello, self._on_log)

    def _hello(self) -> Hello:
        return Hello(build=program_build(), idle_seconds=self.idle_seconds, background=self._background)

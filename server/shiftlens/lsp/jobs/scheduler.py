"""When jobs run: debounced, the newest job of a document replaces older ones, and one document is scored at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

_log = logging.getLogger(__name__)


class EngineSlot:
    """Held by the one document that is scored. Use it from one event loop.

    `async with slot` is for what colours a document. Those who hold it by `beside` give way where `is_wanted`.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._unwanted = asyncio.Event()
        self._unwanted.set()

    @property
    def is_wanted(self) -> bool:
        """Whether a document waits for its colours, or the user for something else of the engine."""
        return self._waiting > 0

    def locked(self) -> bool:
        return self._lock.locked()

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """While the user waits for something of the engine that takes no turn here."""
        self._waiting += 1
        self._unwanted.clear()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._unwanted.set()

    async def __aenter__(self) -> None:
        with self.wanted():
            await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Hold it for what is shown beside colours, when nobody else wants it."""
        await self._unwanted.wait()
        async with self._lock:
            yield


class Scheduler:
    """Runs at most one job per key. Use it from one event loop.

    A job that needs the engine takes `engine_slot` for that part, so that parsing and cached results of other
    documents do not wait for it.
    """

    def __init__(self) -> None:
        self.engine_slot = EngineSlot()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def request(self, key: str, job: Callable[[], Awaitable[None]], *, delay: float = 0.0) -> None:
        """Run `job` after `delay` seconds, in place of whatever waits or runs for `key`."""
        self.cancel(key)
        task = asyncio.get_running_loop().create_task(_run(job, delay))
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    def cancel(self, key: str) -> bool:
        """Cancel the job of `key`; False where there is none."""
        task = self._tasks.pop(key, None)
        return task is not None and task.cancel()

    async def close(self) -> None:
        """Cancel every job and wait until each has let go."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]


async def _run(job: Callable[[], Awaitable[None]], delay: float) -> None:
    if delay > 0:
        await asyncio.sleep(delay)
    try:
        await job()
    except Exception as error:
        # The message may hold text of the transcript; the type and the place do not.
        _log.error("A job failed with %s", type(error).__name__, exc_info=error)

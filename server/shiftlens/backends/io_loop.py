"""One event loop for all requests to servers, in a thread of its own.

So answers are taken while a model here computes, and their timeouts don't run while nobody looks. Coroutines and what
they touch belong to that thread; other threads start and cancel them (`Work`), and read what they put into a queue.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Generic, Protocol, TypeVar

from shiftlens.backends.protocol import Waiting

_TICK = 0.02
"""Seconds that one step waits for news: others wait as long for their turn."""

_MOST_AT_THE_END = 1.0
"""Seconds that the end of the process waits for connections to be closed."""

T = TypeVar("T")


class Connections(Protocol):
    async def close(self) -> None: ...


_connections: weakref.WeakSet[Connections] = weakref.WeakSet()


@functools.cache
def io_loop() -> asyncio.AbstractEventLoop:
    """The loop, which runs until the process ends."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="requests to servers", daemon=True).start()
    atexit.register(_close_connections, loop)
    return loop


def closed_at_the_end(connections: Connections) -> None:
    """Have connections that the loop uses closed before the process ends. aiohttp complains of those that are not."""
    _connections.add(connections)


def _close_connections(loop: asyncio.AbstractEventLoop) -> None:
    async def close() -> None:
        await asyncio.gather(*(each.close() for each in tuple(_connections)))

    with contextlib.suppress(Exception):
        asyncio.run_coroutine_threadsafe(close(), loop).result(_MOST_AT_THE_END)


class Work(Generic[T]):
    """A coroutine at work in the loop. It gets a function that takes its news, from any number of tasks."""

    def __init__(self, work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> None:
        self._news: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._future = asyncio.run_coroutine_threadsafe(work(self._news.put), io_loop())
        self._future.add_done_callback(lambda _: self._news.put(None))

    def news(self, check: Callable[[], None], why: Callable[[], str]) -> Iterator[T | Waiting]:
        """What it tells until it ends, with Waiting where there is nothing yet; `why` gives the reason.

        Ending the iteration cancels the work. Raises what the work raised, and what `check` raises.
        """
        try:
            while True:
                check()
                try:
                    told = self._news.get(timeout=_TICK)
                except queue.Empty:
                    yield Waiting(why())
                    continue
                if told is None:
                    self._future.result()
                    return
                yield told
        finally:
            self._future.cancel()

"""Other processes, as tests look at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psutil
from warm_start import name_of_fork

SECONDS = 120.0
"""How long anything is waited for: on a machine with much other work an engine takes a minute to start."""


def is_alive(pid: int | None) -> bool:
    """Whether a process runs; one that has ended but is not yet waited for does not."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds that nobody tells of. Raises TimeoutError."""

    async def wait() -> None:
        while not holds():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), SECONDS)


async def until_gone(pid: int | None) -> None:
    """Wait until a process has ended. Raises TimeoutError."""
    await until(lambda: not is_alive(pid))


def fork_of(pid: int) -> psutil.Process | None:
    """The process that is the engine for this one, where engines are forked; see `warm_start`."""
    return next((each for each in psutil.process_iter(["name"]) if each.info["name"] == name_of_fork(pid)), None)


def processor_seconds(engine_pid: int) -> float:
    """What an engine has taken so far, of all cores."""
    times = (fork_of(engine_pid) or psutil.Process(engine_pid)).cpu_times()
    return float(times.user + times.system)

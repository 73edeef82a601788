"""Watching another process, such as the editor that started us."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psutil import Process

_POLL_SECONDS = 1.0


async def until_ended(pid: int) -> bool:
    """True once the process has ended; False where there is no such process to watch.

    A client may name a process that is not of this machine or container.
    """
    process = await asyncio.to_thread(_process, pid)
    if process is None:
        return False
    while _is_there(process):
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _process(pid: int) -> Process | None:
    import psutil  # takes about 8 ms, for which no answer to the client waits

    try:
        return psutil.Process(pid)
    except (psutil.Error, ValueError, OverflowError):
        return None


def _is_there(process: Process) -> bool:
    """Whether it runs. A process whose parent has not asked how it ended is a zombie, and has ended.

    `Process.wait` waits for such a parent, which may never ask; so this is asked again and again instead.
    """
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True

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
    import psutil  # takes milliseconds that a client which names no process does not wait for

    try:
        process = psutil.Process(pid)
    except (psutil.Error, ValueError, OverflowError):
        return False
    while _is_there(process):
        await asyncio.sleep(_POLL_SECONDS)
    return True


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

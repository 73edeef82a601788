"""Watching another process, such as the editor that started us."""

from __future__ import annotations

import asyncio
import os

_POLL_SECONDS = 3.0


async def until_ended(pid: int) -> bool:
    """True once the process has ended; False where there is no such process to watch.

    A client may name a process that is not of this machine or container. On Windows none is watched.
    """
    if os.name != "posix" or not _is_there(pid):
        return False
    if not hasattr(os, "pidfd_open"):
        return await _polled(pid)
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return await _polled(pid)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True


async def _polled(pid: int) -> bool:
    while _is_there(pid):
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True

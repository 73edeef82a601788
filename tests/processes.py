"""Other processes, as tests look at them."""

from __future__ import annotations

import psutil


def is_alive(pid: int | None) -> bool:
    """Whether a process runs; one that has ended but is not yet waited for does not."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""How much memory a process holds, and how much there is."""

from __future__ import annotations

_SMALL_MACHINE_BYTES = 8 << 30


def resident_bytes(pid: int) -> int | None:
    """The resident set of a process in bytes; None where it can't be told."""
    import psutil  # takes milliseconds that no start of an engine needs to wait for

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def machine_bytes() -> int:
    """The memory of this machine, used or not; that of a small one where it can't be told."""
    import psutil

    try:
        return int(psutil.virtual_memory().total)
    except (psutil.Error, OSError):
        return _SMALL_MACHINE_BYTES

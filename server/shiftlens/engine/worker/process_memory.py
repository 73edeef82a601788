"""How much memory a process holds."""

from __future__ import annotations


def resident_bytes(pid: int) -> int | None:
    """The resident set of a process in bytes; None where it can't be told."""
    import psutil  # takes milliseconds that no start of an engine needs to wait for

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None

"""How much memory a process holds, and how much there is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_PS_SECONDS = 2
_SMALL_MACHINE_BYTES = 8 << 30


def resident_bytes(pid: int) -> int | None:
    """The resident set of a process; None where it can't be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    try:
        said = subprocess.run(command, capture_output=True, timeout=_PS_SECONDS, check=True).stdout  # noqa: S603
        return int(said) * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def machine_bytes() -> int:
    """The memory of this machine, used or not; that of a small one where it can't be told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return _SMALL_MACHINE_BYTES

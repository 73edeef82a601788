"""Keeping freed memory in the process, where the C library allows it to be asked for that.

A pass allocates and frees the same few tensors of some megabytes over and over. By default glibc gives such memory back
to the system each time and has every page of it faulted in anew, which took a fifth of a pass where it was looked at
(Qwen2.5-0.5B shape, two cores).
"""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3

_MIB = 1 << 20


def keep_freed_memory() -> bool:
    """Have glibc keep up to 256 MiB that were freed; False where the C library is another one."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((_M_MMAP_THRESHOLD, 64 * _MIB), (_M_TRIM_THRESHOLD, 256 * _MIB), (_M_TOP_PAD, 16 * _MIB))
    return all(mallopt(option, size) == 1 for option, size in wanted)

"""Freed memory that the process keeps is not faulted in anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from shiftlens.engine.worker.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
torch.empty(10 << 18).fill_(1.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    # Two at once, the larger freed last: what is at the top of the heap is given back each time.
    small, large = torch.empty(2 << 18).fill_(1.0), torch.empty(40 << 18).fill_(1.0)
    del small, large
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_kept_memory_is_faulted_in_once_instead_of_every_time() -> None:
    def faults(*, keep: bool) -> int:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(keep=keep)], capture_output=True, text=True, check=True, timeout=120
        )
        return int(done.stdout)

    assert faults(keep=True) * 2 < faults(keep=False)

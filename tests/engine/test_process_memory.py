"""How much memory a process holds."""

from __future__ import annotations

import os

from shiftlens.engine.worker.process_memory import resident_bytes


def test_a_process_that_runs_has_resident_memory_in_bytes() -> None:
    held = resident_bytes(os.getpid())
    assert held is not None
    assert held > 1 << 20


def test_a_process_that_is_not_there_has_none() -> None:
    assert resident_bytes(2**31 - 1) is None

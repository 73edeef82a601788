"""A clock that is set, forward or back, changes nothing but the times that are told: when an engine has started, and
when the scores beside a transcript were made."""

from __future__ import annotations

import re
from pathlib import Path

import shiftlens

WALL = re.compile(r"\btime\.time(?:_ns)?\(|\bdatetime\.(?:now|utcnow|today)\(|\bdate\.today\(")


def test_deadlines_debounces_and_idle_times_go_by_a_clock_that_nobody_sets() -> None:
    package = Path(shiftlens.__file__).parent
    files = [file for file in package.rglob("*.py") if WALL.search(file.read_text(encoding="utf-8"))]
    assert sorted(file.name for file in files) == ["file.py", "hosting.py", "running.py"]

"""How the time of reading a file grows with it, for files that are made to be slow to read."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from registry import Bench

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import read

sys.path.insert(0, str(Path(__file__).parents[1]))

from transcripts.floods import FLOODS, Flood

SMALL = 1_000_000
"""Characters of the smaller file."""
LEAST_SECONDS = 0.2
"""A file that is read sooner is read as often as this takes, so that the clock and the system do not count."""


def reader_growth(rounds: int) -> Mapping[str, float]:
    """The worst ratio of the CPU time of reading 2 MB to that of 1 MB, over all floods; names the worst three."""
    ratios = {name: growth(flood, rounds, SMALL) for name, flood in FLOODS.items()}
    worst = sorted(ratios, key=ratios.__getitem__, reverse=True)
    print("  worst:", ", ".join(f"{name} {ratios[name]:.2f}" for name in worst[:3]), flush=True)
    return {"reader_growth": ratios[worst[0]]}


def growth(flood: Flood, rounds: int, size: int) -> float:
    """CPU seconds of a flood of twice the size over those of one of the size, the least of each, in turns."""
    small, large = flood(size), flood(2 * size)
    times = max(1, math.ceil(LEAST_SECONDS / max(_seconds(small), 1e-6)))
    found: list[tuple[float, float]] = []
    for _ in range(rounds):
        found.append((sum(_seconds(small) for _ in range(times)), sum(_seconds(large) for _ in range(times))))
    return min(large for _, large in found) / min(small for small, _ in found)


def _seconds(text: str) -> float:
    """CPU time of this process: another program's work does not count."""
    start = time.process_time()
    with contextlib.suppress(TranscriptError):
        read(text)
    return time.process_time() - start


BENCHES = (Bench({"reader_growth": "<= 2.5"}, reader_growth),)

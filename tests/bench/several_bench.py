"""Three tuned models beside one base model, in one go and as three pairs: seconds, peak memory, and what was shared.

Each way is measured in a process of its own: all at once, pair by pair in one session (which keeps the base model), and
each pair in its own process. Loading is told apart from scoring, and is in the memory. The base model's numbers of the
three ways are compared by their bytes.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TUNED, RESPONSES = 3, 4
_SHAPE = "gpt2-124m"
_TEXT = "Air scatters blue light more than red light, so that the sky is blue wherever the sun is not. " * 6


@dataclass(frozen=True, slots=True)
class _Measured:
    """Seconds of scoring and of everything, full models loaded, ids fed to the base model, and the peak in KiB.

    `digests` are of the base model's numbers in each pair.
    """

    scoring: float
    seconds: float
    loads: int
    fed: int
    peak: int
    digests: tuple[str, ...]


def _measured(what: str, folder: str) -> _Measured:
    done = subprocess.run([sys.executable, __file__, what, folder], check=True, capture_output=True, text=True)
    scoring, seconds, loads, fed, peak, *digests = done.stdout.split("\n")[-2].split()
    return _Measured(float(scoring), float(seconds), int(loads), int(fed), int(peak), tuple(digests))


def _save(folder: Path) -> None:
    from shapes import _make
    from transformers import AutoTokenizer

    from shiftlens.bundled.paths import resolve_model_name
    from shiftlens.options.pair import BUNDLED_ALIGNED

    tokenizer = AutoTokenizer.from_pretrained(resolve_model_name(BUNDLED_ALIGNED))
    for seed in range(1 + TUNED):
        _make(_SHAPE, seed).save_pretrained(folder / str(seed))
        tokenizer.save_pretrained(folder / str(seed))


def _score(folder: Path, numbers: Sequence[int], *, at_once: bool) -> None:
    from shiftlens.engine.worker.allocator import keep_freed_memory
    from shiftlens.options.pair import PairSpec, ScoreOptions
    from shiftlens.scores.keys import key_of
    from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
    from shiftlens.scoring.events import Opened, Scored
    from shiftlens.scoring.running.run import Run
    from shiftlens.scoring.session import Session

    keep_freed_memory()
    specs = [PairSpec(base=str(folder / "0"), aligned=str(folder / str(i + 1)), device="cpu") for i in numbers]
    asked = [
        ResponseToScore(turns=(ContextTurn.of("user", f"Why {i}?"),), parts=one_text(_TEXT), source_format="labels")
        for i in range(RESPONSES)
    ]
    session = Session()
    fed = _count_fed()
    began = time.perf_counter()
    if at_once:
        runs = [session.score_several(specs, ScoreOptions(), asked)]
    else:
        each = [session.steps(spec, Run(ScoreOptions(), asked, remember=False)) for spec in specs]
        runs = [itertools.chain.from_iterable(steps) for steps in each]
    scoring = 0.0
    sides: dict[int, list[object]] = {}
    for number, run in enumerate(runs):
        assert isinstance(next(run), Opened)
        start = time.perf_counter()
        for event in run:
            if isinstance(event, Scored) and not event.partial:
                sides.setdefault(number + event.aligned, []).append(event.scored.base)
        scoring += time.perf_counter() - start
    seconds = time.perf_counter() - began
    with session.open(specs[0]) as pair:
        base = fed[id(pair.base.causal.body)]
    # Not ru_maxrss, which begins with what the parent had.
    peak = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]
    digests = (key_of(sides[number]).hex() for number in sorted(sides))
    print(scoring, seconds, session.loads, base, peak, *digests)


def _count_fed() -> Counter[int]:
    """How many ids each model's body is fed from now on."""
    from shiftlens.scoring.passes.causal import CausalModel

    counts: Counter[int] = Counter()
    states = CausalModel.hidden_states

    def counted(self: CausalModel, ids: Any, cache: Any, *, keep: bool = True) -> Any:
        counts[id(self.body)] += ids.numel()
        return states(self, ids, cache, keep=keep)

    CausalModel.hidden_states = counted  # type: ignore[method-assign]
    return counts


def _tell(what: str, of: _Measured) -> None:
    print(
        f"{TUNED} tuned models {what}: {of.scoring:.1f} s scoring, {of.seconds:.1f} s with loading,"
        f" {of.peak / 1024:,.0f} MiB at the peak, {of.loads} models loaded, {of.fed:,} ids fed to the base model"
    )


def _together(parts: Sequence[_Measured]) -> _Measured:
    """Of several processes one after the other."""
    return _Measured(
        sum(part.scoring for part in parts),
        sum(part.seconds for part in parts),
        sum(part.loads for part in parts),
        sum(part.fed for part in parts),
        max(part.peak for part in parts),
        tuple(digest for part in parts for digest in part.digests),
    )


def _compare() -> None:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, __file__, "save", name], check=True)
        ways = {
            "in three processes": _together([_measured(f"pair {i}", name) for i in range(TUNED)]),
            "as pairs of one session": _measured("as pairs", name),
            "at once": _measured("at once", name),
        }
    for what, found in ways.items():
        _tell(what, found)
    every = {digest for found in ways.values() for digest in found.digests}
    print(f"The base model's numbers are {'the same to the bit' if len(every) == 1 else 'NOT THE SAME'}.")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        _compare()
    elif sys.argv[1] == "save":
        _save(Path(sys.argv[2]))
    elif sys.argv[1].startswith("pair "):
        _score(Path(sys.argv[2]), [int(sys.argv[1][5:])], at_once=False)
    else:
        _score(Path(sys.argv[2]), range(TUNED), at_once=sys.argv[1] == "at once")

"""Three tuned models beside one base model, in one go and as three pairs: prints seconds and peak memory.

Each way is measured in a process of its own. Its loading is left out of the seconds, and is in the memory.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TUNED, RESPONSES = 3, 4
_SHAPE = "gpt2-124m"
_TEXT = "Air scatters blue light more than red light, so that the sky is blue wherever the sun is not. " * 6


def _measured(what: str, folder: str) -> tuple[float, int]:
    """Seconds of scoring, and peak resident KiB, of a process that does this."""
    done = subprocess.run([sys.executable, __file__, what, folder], check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), int(peak)


def _save(folder: Path) -> float:
    from shapes import _make
    from transformers import AutoTokenizer

    from shiftlens.bundled.paths import resolve_model_name
    from shiftlens.options.pair import BUNDLED_ALIGNED

    tokenizer = AutoTokenizer.from_pretrained(resolve_model_name(BUNDLED_ALIGNED))
    for seed in range(1 + TUNED):
        _make(_SHAPE, seed).save_pretrained(folder / str(seed))
        tokenizer.save_pretrained(folder / str(seed))
    return 0.0


def _score(folder: Path, *, at_once: bool) -> float:
    from shiftlens.engine.worker.allocator import keep_freed_memory
    from shiftlens.options.pair import PairSpec, ScoreOptions
    from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
    from shiftlens.scoring.events import Opened
    from shiftlens.scoring.running.run import Run
    from shiftlens.scoring.session import Session

    keep_freed_memory()
    specs = [PairSpec(base=str(folder / "0"), aligned=str(folder / str(i + 1)), device="cpu") for i in range(TUNED)]
    asked = [
        ResponseToScore(turns=(ContextTurn.of("user", f"Why {i}?"),), parts=one_text(_TEXT), source_format="labels")
        for i in range(RESPONSES)
    ]
    session = Session()
    if at_once:
        runs = [session.score_several(specs, ScoreOptions(), asked)]
    else:
        each = [session.steps(spec, Run(ScoreOptions(), asked, remember=False)) for spec in specs]
        runs = [itertools.chain.from_iterable(steps) for steps in each]
    seconds = 0.0
    for run in runs:
        assert isinstance(next(run), Opened)
        start = time.perf_counter()
        for _event in run:
            pass
        seconds += time.perf_counter() - start
    return seconds


if __name__ == "__main__":
    if len(sys.argv) == 1:
        with tempfile.TemporaryDirectory() as name:
            _measured("save", name)
            for what in ("as pairs", "at once"):
                seconds, peak = _measured(what, name)
                print(f"{TUNED} tuned models {what}: {seconds:.1f} s, {peak / 1024:,.0f} MiB at the peak")
    else:
        folder = Path(sys.argv[2])
        seconds = _save(folder) if sys.argv[1] == "save" else _score(folder, at_once=sys.argv[1] == "at once")
        # Not ru_maxrss, which begins with what the parent had.
        print(seconds, re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])

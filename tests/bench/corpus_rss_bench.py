"""Memory of the command that scores a corpus, beside that of the engine, and how it grows with the number of rows."""

from __future__ import annotations

import functools
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from registry import Bench

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE
from shiftlens.options.pair import BUNDLED_ALIGNED
from shiftlens.scores.location import CACHE_DIR_VARIABLE

ROWS, TOKENS = 200, 500
MORE_ROWS = 2000

_WORDS = [
    "the",
    "a",
    "river",
    "of",
    "ice",
    "that",
    "forms",
    "from",
    "packed",
    "snow",
    "and",
    "moves",
    "under",
    "its",
    "own",
    "weight",
    "down",
    "a",
    "valley",
]
_RUN = """
import sys
from pathlib import Path
from shiftlens.cli.main import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1], file=sys.stderr)
sys.exit(code)
"""


def corpus_rss(_rounds: int) -> Mapping[str, float]:
    """The command's own peaks: `shiftlens corpus` into JSONL and Parquet, and `analyze --format json`."""
    with _place() as (place, environment):
        records = _records(place / "many.json", ROWS, TOKENS)
        found = {
            f"corpus_rss_{suffix}_mib": _peak_mib(("corpus", records, "-o", place / f"many.{suffix}"), environment)
            for suffix in ("jsonl", "parquet")
        }
        analyze = ("analyze", records, "--format", "json", "--no-cache", "-o", place / "out.json")
        return found | {"analyze_rss_mib": _peak_mib(analyze, environment)}


def corpus_growth(suffix: str, _rounds: int) -> Mapping[str, float]:
    """The peak at many rows over that at few."""
    peaks = []
    with _place() as (place, environment):
        for name, rows in (("few", ROWS), ("many", MORE_ROWS)):
            records = _records(place / f"{name}.json", rows, TOKENS)
            peaks.append(_peak_mib(("corpus", records, "-o", place / f"{name}.{suffix}"), environment))
            print(f"corpus_rss_{suffix}: {peaks[-1]:.1f} MiB at {rows:,} records", flush=True)
    return {f"corpus_rss_{suffix}_growth": peaks[1] / peaks[0]}


BENCHES = (
    Bench(
        {"corpus_rss_jsonl_mib": "<= 250", "corpus_rss_parquet_mib": "<= 250", "analyze_rss_mib": "<= 250"},
        corpus_rss,
        linux_only=True,
    ),
    *(
        Bench({f"corpus_rss_{suffix}_growth": "<= 1.10"}, functools.partial(corpus_growth, suffix), linux_only=True)
        for suffix in ("jsonl", "parquet")
    ),
)


@contextmanager
def _place() -> Iterator[tuple[Path, Mapping[str, str]]]:
    """A folder, and the environment of an engine that all runs share: its memory is not the command's."""
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        place = Path(folder)
        (place / "run").mkdir(mode=0o700)
        yield (
            place,
            {
                **os.environ,
                CACHE_DIR_VARIABLE: str(place / "cache"),
                RUNTIME_DIR_VARIABLE: str(place / "run"),
                LINGER_VARIABLE: "60",
            },
        )


def _records(path: Path, rows: int, tokens: int) -> Path:
    """A file of AlignTDS's shape, with answers of so many tokens of the bundled pair."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve_model_name(BUNDLED_ALIGNED))
    words = random.Random(0)  # noqa: S311
    records = []
    for number in range(rows):
        ids = tokenizer.encode(" ".join(words.choices(_WORDS, k=tokens)), add_special_tokens=False)[:tokens]
        answer = tokenizer.decode(ids)
        prompt = f"<|im_start|>user\nWhat is number {number}?<|im_end|>\n<|im_start|>assistant\n"
        records.append({"id": number, "pure_input": f"What is number {number}?", "input": prompt, "output": [answer]})
    path.write_text(json.dumps(records, indent=1), encoding="utf-8")
    return path


def _peak_mib(arguments: Sequence[str | Path], environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", _RUN, *map(str, arguments), "--bundled", "--device", "cpu"]
    done = subprocess.run(command, stderr=subprocess.PIPE, env=environment, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(done.stderr.split()[-1]) / 1024

"""Memory of the command that scores a corpus, beside that of the engine, and how it grows with the number of rows."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from registry import Bench

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE
from shiftlens.options.pair import BUNDLED_ALIGNED
from shiftlens.scores.location import CACHE_DIR_VARIABLE

ROWS, TOKENS = 200, 500
MORE_ROWS, FEWER_TOKENS = 2000, 60
"""The growth is measured on short responses, of which a window holds the most: 2000 of 500 tokens take minutes."""

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
    """The command's own peaks: `shiftlens corpus` into JSONL and Parquet, `analyze --format json`, and the growth."""
    # Not in the user's cache, and with an engine that all runs share: its memory is not the command's.
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        place = Path(folder)
        environment = {
            **os.environ,
            CACHE_DIR_VARIABLE: str(place / "cache"),
            RUNTIME_DIR_VARIABLE: str(place / "run"),
            LINGER_VARIABLE: "60",
        }
        many = _records(place / "many.json", ROWS, TOKENS)
        few = _records(place / "few.json", ROWS, FEWER_TOKENS)
        most = _records(place / "most.json", MORE_ROWS, FEWER_TOKENS)

        def peak(*arguments: str | Path) -> float:
            return _peak_mib([*map(str, arguments), "--bundled", "--device", "cpu"], environment)

        def into(records: Path, suffix: str) -> float:
            return peak("corpus", records, "-o", place / f"{records.stem}.{suffix}")

        found = {f"corpus_rss_{suffix}_mib": into(many, suffix) for suffix in ("jsonl", "parquet")}
        found["analyze_rss_mib"] = peak("analyze", many, "--format", "json", "--no-cache", "-o", place / "many.out")
        for suffix in ("jsonl", "parquet"):
            found[f"corpus_rss_{suffix}_growth"] = into(most, suffix) / into(few, suffix)
        return found


BENCHES = (
    Bench(
        {
            "corpus_rss_jsonl_mib": "<= 250",
            "corpus_rss_parquet_mib": "<= 250",
            "analyze_rss_mib": "<= 250",
            "corpus_rss_jsonl_growth": "<= 1.10",
            "corpus_rss_parquet_growth": "<= 1.10",
        },
        corpus_rss,
        linux_only=True,
    ),
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


def _peak_mib(arguments: list[str], environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", _RUN, *arguments]
    done = subprocess.run(command, check=True, stderr=subprocess.PIPE, env=environment, text=True)
    return int(done.stderr.split()[-1]) / 1024

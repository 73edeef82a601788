"""Runs the benches: `make bench`, or `python tests/bench/bench.py NAME...` for some.

Prints a table with targets and merges what was measured into build/bench.json (name -> value).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# Of a script, Python knows the folder alone; the tests' helpers are one above it.
sys.path.append(str(Path(__file__).parents[1]))

import busy_bench
import corpus_bench
import corpus_rss_bench
import engine_bench
import gpu_bench
import lora_bench
import peak_bench
import peers_bench
import reader_bench
import served_bench
import server_bench

from shiftlens.engine.worker.allocator import keep_freed_memory

BENCHES = (
    *engine_bench.BENCHES,
    *corpus_bench.BENCHES,
    *corpus_rss_bench.BENCHES,
    *peak_bench.BENCHES,
    *lora_bench.BENCHES,
    *gpu_bench.BENCHES,
    *server_bench.BENCHES,
    *busy_bench.BENCHES,
    *reader_bench.BENCHES,
    *peers_bench.BENCHES,
    *served_bench.BENCHES,
)
TARGETS = {name: target for bench in BENCHES for name, target in bench.targets.items()}
OUT = Path("build/bench.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}; default all")
    args = parser.parse_args()
    if unknown := set(args.names) - set(TARGETS):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    wanted = set(args.names or TARGETS)
    keep_freed_memory()
    for bench in BENCHES:
        if not wanted & set(bench.targets) or (bench.linux_only and sys.platform != "linux"):
            continue
        if bench.needs is not None and not bench.needs.exists():
            print(f"{', '.join(bench.targets)}: left out, since there is no {bench.needs}", flush=True)
            continue
        found = {name: value for name, value in bench.run(args.rounds).items() if name in wanted}
        # After each bench: an interrupted run keeps what it has measured.
        _merge(found)
        for name, value in found.items():
            print(f"{name:22} {value:10.3f}   target {TARGETS[name]}", flush=True)


def _merge(found: dict[str, float]) -> None:
    kept = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(kept | found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

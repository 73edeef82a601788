"""`make stress`: inputs nobody writes, faults and load, for a bounded time on two cores; a table of what came of them.

What must be none (lost, wrong, crashed, hung, left over) makes the run fail. The table goes to the terminal and to
`build/stress.json`; inputs that fail are kept in `build/stress/`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from stress import faults, load, messages
from stress.rpc import Home, home

BUILD = Path(__file__).parents[2] / "build"
FUZZ = Path(__file__).with_name("fuzz.py")
GUIDED = Path(__file__).with_name("guided.py")
COLUMNS = ("inputs", "faults", "requests", "served", "lost", "wrong", "crashed", "hung", "left over")
MUST_BE_NONE = ("lost", "wrong", "crashed", "hung", "left over")


_GUIDED_EACH = 3
"""After so many processes of inputs made by chance comes one whose inputs coverage guides."""
_HUNG = 70
"""The exit code of libFuzzer where an input took too long."""


class Size(NamedTuple):
    """How much of each there is; `busy` is for how many seconds many documents are edited."""

    seconds: float
    documents: int
    busy: float
    responses: int
    tokens: int
    edits: int
    queued: int
    faults: tuple[str, ...]
    guided: tuple[str, ...]


FULL = Size(1800, 200, 30, 2000, 200_000, 17_280, 10_000, tuple(faults.FAULTS), ("readers", "geometry"))
SHORT = Size(180, 20, 3, 50, 0, 200, 1000, faults.SHORT, ())


class Table:
    """What was found, by row."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[str]] = {}
        self.problems: list[str] = []
        self.not_run: list[str] = []

    def add(self, name: str, counts: Counter[str]) -> None:
        row = self.rows.setdefault(name, Counter())
        peak = max(row["peak bytes"], counts["peak bytes"])
        row.update({key: value for key, value in counts.items() if key != "peak bytes" and not key.startswith("log: ")})
        row["peak bytes"] = peak
        self.problems += [f"{name}: {key}" for key in counts if key.startswith("log: ")]
        print(self.line(name), flush=True)

    def line(self, name: str) -> str:
        row = self.rows[name]
        cells = "".join(f"{row[key]:>11,}" for key in COLUMNS)
        return f"{name:<30}{cells}{row['peak bytes'] / (1 << 20):>9,.0f} MiB"

    def total(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for row in self.rows.values():
            found.update({key: row[key] for key in COLUMNS})
        return found

    def shown(self) -> str:
        head = f"{'':<30}{''.join(f'{key:>11}' for key in COLUMNS)}{'peak':>13}"
        total = self.total()
        foot = f"{'all':<30}{''.join(f'{total[key]:>11,}' for key in COLUMNS)}"
        not_run = (f"not run: {name}" for name in self.not_run)
        return "\n".join([head, *map(self.line, self.rows), foot, *self.problems, *not_run])

    def failed(self) -> bool:
        total = self.total()
        return any(total[key] for key in MUST_BE_NONE)


async def fuzz(table: Table, size: Size, until: float, seed: int) -> None:
    """A process of inputs at a time, a minute each, so that memory that one leaks is seen and one that dies is told."""
    folder = BUILD / "stress"
    folder.mkdir(parents=True, exist_ok=True)
    kinds: Iterator[str] = itertools.cycle(size.guided)
    if size.guided and importlib.util.find_spec("atheris") is None:
        table.not_run.append("inputs that coverage guides: Atheris is not installed (`make stress` does that)")
        kinds = iter(())
    while (seconds := min(60.0, until - time.monotonic())) > 1:
        seed += 1
        await _made(table, seed, seconds, folder)
        if seed % _GUIDED_EACH == 0 and (kind := next(kinds, None)) is not None:
            await _guided(table, kind, seed, max(1.0, min(60.0, until - time.monotonic())), folder)


async def _made(table: Table, seed: int, seconds: float, folder: Path) -> None:
    """Inputs made by chance, of every kind."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(FUZZ), str(seed), str(seconds), str(folder)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    counts: Counter[str] = Counter()
    if process.returncode != 0:
        counts["crashed"] += 1
    else:
        said = json.loads(out)
        counts.update({key: said["counts"].get(key, 0) for key in ("wrong", "crashed", "hung")})
        for kind in ("readers", "geometry", "pages", "frames"):
            table.rows.setdefault(f"fuzz: {kind}", Counter())["inputs"] += said["counts"].get(kind, 0)
        counts["inputs"] = sum(said["counts"].get(key, 0) for key in ("wrong", "crashed", "hung"))
        counts["peak bytes"] = said["peak bytes"]
    table.add("fuzz: in process, failed", counts)


async def _guided(table: Table, kind: str, seed: int, seconds: float, folder: Path) -> None:
    """Inputs of one kind that coverage guides, up to the first that fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(GUIDED), kind, str(seed), str(seconds), str(folder)),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    said = out.decode(errors="replace")
    stats = {name: int(number) for name, number in re.findall(r"^stat::(\w+):\s+(\d+)", said, re.MULTILINE)}
    counts = Counter({"inputs": stats.get("number_of_executed_units", 0)})
    counts["peak bytes"] = stats.get("peak_rss_mb", 0) << 20
    if process.returncode:
        counts["hung" if process.returncode == _HUNG else "wrong"] += 1
        counts[f"log: {' '.join(said.splitlines()[-12:])[:400]}"] = 1
    table.add(f"fuzz: {kind}, guided", counts)


async def _in_home(table: Table, name: str, check: Callable[[Home], Awaitable[Counter[str]]]) -> None:
    """One check with processes of its own; what is left of them five seconds after it counts."""
    async with home() as place:
        try:
            counts = await check(place)
        except Exception as error:
            counts = Counter({"crashed": 1, f"log: {type(error).__name__}: {str(error)[:400]}": 1})
        counts["left over"] += await place.left_over(5.0)
    table.add(name, counts)


async def servers(table: Table, size: Size, until: float, seed: int) -> None:
    """Faults, load, then messages until the time is over. What has not begun by then is named as not run."""
    checks: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        *((f"faults: {name}", lambda name=name: _inject(table, name)) for name in size.faults),
        *(
            (name, lambda name=name, check=check: _in_home(table, name, check))
            for name, check in (
                ("messages: queues and cancels", lambda p: messages.queues(p, seed, size.queued)),
                (f"load: {size.responses:,} responses", lambda p: load.responses(p, size.responses)),
                (
                    f"load: {size.documents:,} documents",
                    lambda p: load.documents(p, size.documents, size.busy),
                ),
                (f"load: {size.edits:,} edits", lambda p: load.a_day(p, size.edits)),
                (f"load: {size.tokens:,} tokens", lambda p: load.long_file(p, size.tokens)),
            )
        ),
    ]
    for name, check in checks if size.tokens else checks[:-1]:
        if time.monotonic() < until - size.seconds / 10:
            await check()
        else:
            table.not_run.append(f"{name}, for want of time")
    while (left := until - time.monotonic()) > 1:
        seed += 1
        seconds = min(30.0, max(left / 2, 1.0))
        await _in_home(table, "messages: odd", partial(messages.odd_messages, seed=seed, seconds=seconds))
        await _in_home(table, "messages: edits", partial(messages.edits, seed=seed, seconds=seconds))


async def _inject(table: Table, name: str) -> None:
    problem, left = await faults.inject(name)
    found = Counter({"faults": 1, "wrong": int(bool(problem)), "left over": left})
    if problem:
        found[f"log: {name}: {problem[:400]}"] = 1
    table.add("faults", found)


async def run(size: Size, seed: int) -> Table:
    """Both at once, so that a server works on a busy machine. Longer than its time by what is under way then."""
    table = Table()
    until = time.monotonic() + size.seconds
    await asyncio.gather(fuzz(table, size, until, seed), servers(table, size, until, seed))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="three minutes, with less of everything")
    parser.add_argument("--seconds", type=float, help="another time")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="of inputs; told at the end")
    chosen = parser.parse_args(arguments)
    size = SHORT if chosen.short else FULL
    if chosen.seconds is not None:
        size = size._replace(seconds=chosen.seconds)
    began = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        table = asyncio.run(run(size, chosen.seed * 1000))
        seconds = round(time.monotonic() - began)
        print(f"\n{table.shown()}\n\nseed {chosen.seed}, {seconds} seconds")
        report = {"seed": chosen.seed, "seconds": seconds, "rows": table.rows, "all": table.total()}
        told = {"problems": table.problems, "not run": table.not_run}
        BUILD.mkdir(exist_ok=True)
        (BUILD / "stress.json").write_text(json.dumps(report | told, indent=1) + "\n")
        return int(table.failed())
    return 130


if __name__ == "__main__":
    sys.exit(main())

"""Scoring on a machine that others use: with two busy loops beside it, over the same without them.

Models are loaded before, each response is new, and what it takes is from asking to having its last score.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prose import write_responses
from registry import Bench
from server_bench import SERVER
from shapes import save_pair
from wire import Wire

from score_job import score
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.protocol import Scored
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.location import CACHE_DIR_VARIABLE
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text

LOOPS = 2
TOKENS = 257
SHAPE = "gpt2-124m"
OF_A_REAL_SHAPE, OF_THE_BUNDLED_PAIR = 3, 30
"""Responses of one side of a round."""
_LOOP = "print(flush=True)\nwhile True: pass"


def busy_slowdown(rounds: int) -> Mapping[str, float]:
    """A pair of GPT-2 shape, for a command of the terminal and for an editor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base, aligned = map(str, save_pair(SHAPE, folder))
        pair = PairSpec(base=base, aligned=aligned, device="cpu", dtype="float32")
        return {
            "busy_slowdown": asyncio.run(_of_a_terminal(pair, rounds, OF_A_REAL_SHAPE)),
            "busy_slowdown_editor": _of_an_editor(pair, rounds, folder),
        }


def tiny_busy_slowdown(rounds: int) -> Mapping[str, float]:
    """The bundled pair, for a command of the terminal."""
    pair = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")
    return {"tiny_busy_slowdown": asyncio.run(_of_a_terminal(pair, rounds, OF_THE_BUNDLED_PAIR))}


async def _of_a_terminal(pair: PairSpec, rounds: int, count: int) -> float:
    """With an engine of its own, which is as urgent as a command's."""
    with tempfile.TemporaryDirectory() as folder:
        texts = iter(_texts(Path(folder), 1 + 2 * rounds * count))
    client = EngineClient(sharing=Sharing.OWN)

    async def seconds() -> float:
        question = ContextTurn.of("user", "What is there to say?")
        asked = ResponseToScore(turns=(question,), parts=one_text(next(texts)), source_format="labels")
        scored: list[Scored] = []
        start = time.perf_counter()
        await score(client, pair, ScoreOptions(), [asked], on_scored=scored.append)
        taken = time.perf_counter() - start
        if not scored:
            raise RuntimeError("a response got no scores")
        return taken

    try:
        await seconds()
        quiet, busy = [], []
        for _ in range(rounds):
            quiet += [await seconds() for _ in range(count)]
            with busy_loops():
                busy += [await seconds() for _ in range(count)]
    finally:
        await client.close()
    return statistics.median(busy) / statistics.median(quiet)


def _of_an_editor(pair: PairSpec, rounds: int, folder: Path) -> float:
    """From opening a file in a real server to its last score."""
    env = {**os.environ, CACHE_DIR_VARIABLE: str(folder / "cache")}
    settings = {"base": pair.base, "aligned": pair.aligned, "device": pair.device, "dtype": pair.dtype}
    count = 1 + 2 * rounds * OF_A_REAL_SHAPE
    files = (write_responses(folder / f"{i}.jsonl", tokens=TOKENS, per_response=TOKENS, seed=i) for i in range(count))
    paths = iter(list(files))

    with Wire(SERVER, settings={**settings, "shareEngine": False}, env=env) as server:
        server.initialize()

        def seconds() -> float:
            path = next(paths)
            start = time.perf_counter()
            server.until(server.open(path), "ready")
            return time.perf_counter() - start

        seconds()
        quiet, busy = [], []
        for _ in range(rounds):
            quiet += [seconds() for _ in range(OF_A_REAL_SHAPE)]
            with busy_loops():
                busy += [seconds() for _ in range(OF_A_REAL_SHAPE)]
    return statistics.median(busy) / statistics.median(quiet)


def _texts(folder: Path, count: int) -> list[str]:
    path = write_responses(folder / "texts.jsonl", tokens=count * TOKENS, per_response=TOKENS)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [record["messages"][-1]["content"] for record in records]


@contextmanager
def busy_loops() -> Iterator[None]:
    """Processes as urgent as this one that take all of a core each; they run when this begins."""
    loops = [subprocess.Popen((sys.executable, "-c", _LOOP), stdout=subprocess.PIPE) for _ in range(LOOPS)]
    try:
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


BENCHES = (
    Bench({"busy_slowdown": "<= 3", "busy_slowdown_editor": "<= 5"}, busy_slowdown),
    Bench({"tiny_busy_slowdown": "<= 3"}, tiny_busy_slowdown),
)

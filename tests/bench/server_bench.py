"""The language server as an editor meets it: a real process over stdio, real files, scores of the bundled pair."""

from __future__ import annotations

import compileall
import functools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prose import write_responses
from registry import Bench, one
from shapes import save_pair
from wire import Wire

import shiftlens
from shiftlens.scores.location import CACHE_DIR_VARIABLE

SERVER = (sys.executable, "-m", "shiftlens", "serve")
BARE_SERVER = (
    sys.executable,
    "-c",
    "from pygls.lsp.server import LanguageServer; LanguageServer('bare', '1').start_io()",
)
BUNDLED = {"base": "bundled:base", "aligned": "bundled:aligned", "device": "cpu"}
STARTS, HOVERS = 20, 500
HOVER_EVERY_SECONDS = 0.02
LONG = 1000
REAL_SHAPE = "qwen2.5-0.5b"


def server_start(rounds: int) -> float:
    """Spawn to the reply to `initialize`, over that of a server that is pygls and nothing else."""
    # As pip does with what it installs, pygls among it: a checkout may have no bytecode, or that of older code.
    compileall.compile_dir(Path(shiftlens.__file__).parent, quiet=1)
    ours, bare = [], []
    for _ in range(max(rounds, STARTS)):
        ours.append(_start_seconds(SERVER))
        bare.append(_start_seconds(BARE_SERVER))
    return min(ours) / min(bare)


def tokens_ms(count: int, rounds: int) -> float:
    """`semanticTokens/full` of a document just opened whose scores are there, request to last byte; the median."""
    with _scored_file(count) as (path, env):
        found = []
        for _ in range(rounds):
            with Wire(SERVER, settings=BUNDLED, env=env) as server:
                server.initialize()
                uri = _open_scored(server, path)
                found.append(_full(server, uri)[0])
    return 1000 * statistics.median(found)


def server_rss_mib(rounds: int) -> float:  # noqa: ARG001
    """Resident memory of the server with 20,000 scored tokens open, colours sent, a hundred hovers answered."""
    with _scored_file(20_000) as (path, env), Wire(SERVER, settings=BUNDLED, env=env) as server:
        server.initialize()
        uri = _open_scored(server, path)
        _full(server, uri)
        _hovers(server, uri, path, 100, every=0)
        return server.resident_mib()


def hover_ms(rounds: int) -> Mapping[str, float]:  # noqa: ARG001
    """The 99th percentile of hovers at random tokens of a scored file, while the engine scores another, and idle."""
    with _scored_file(20_000) as (path, env), Wire(SERVER, settings=BUNDLED, env=env) as server:
        server.initialize()
        uri = _open_scored(server, path)
        _full(server, uri)
        idle = _hovers(server, uri, path, HOVERS)
        other = write_responses(path.parent / "other.jsonl", tokens=100_000, seed=1)
        busy_uri = server.open(other)
        server.until(busy_uri, "scoring")
        busy = _hovers(server, uri, path, HOVERS)
        if server.state(busy_uri) != "scoring":
            raise RuntimeError("the engine was done before the hovers were")
    at_99 = functools.partial(_percentile, share=0.99)
    return {"hover_p99_ms": 1000 * at_99(busy), "hover_p99_idle_ratio": at_99(busy) / at_99(idle)}


def reopen(rounds: int) -> float:
    """Process start to coloured tokens of a scored file, over scoring a file of that size with the models loaded."""
    with tempfile.TemporaryDirectory() as folder:
        pair = save_pair(REAL_SHAPE, Path(folder))
        settings = {"base": str(pair[0]), "aligned": str(pair[1]), "device": "cpu", "dtype": "float32"}
        env = {**os.environ, CACHE_DIR_VARIABLE: str(Path(folder) / "cache")}
        first, second = (
            write_responses(Path(folder) / f"{seed}.jsonl", tokens=LONG, per_response=LONG, seed=seed)
            for seed in (0, 1)
        )
        with Wire(SERVER, settings=settings, env=env) as server:
            server.initialize()
            server.until(server.open(first), "ready")
            start = time.perf_counter()
            server.until(server.open(second), "ready")
            scoring = time.perf_counter() - start
        again = []
        for _ in range(rounds):
            with Wire(SERVER, settings=settings, env=env) as server:
                server.initialize()
                uri = _open_scored(server, second)
                if not json.loads(_full(server, uri)[1])["result"]["data"]:
                    raise RuntimeError("the file was reopened without colours")
                again.append(time.perf_counter() - server.started)
    return min(again) / scoring


@contextmanager
def _scored_file(tokens: int) -> Iterator[tuple[Path, dict[str, str]]]:
    """A file of which the user's store has all scores, and the environment in which it does."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_responses(Path(folder) / "responses.jsonl", tokens=tokens)
        env = {**os.environ, CACHE_DIR_VARIABLE: str(Path(folder) / "cache")}
        command = (sys.executable, "-m", "shiftlens", "analyze", str(path), "--bundled", "--device", "cpu")
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        yield path, env


def _open_scored(server: Wire, path: Path) -> str:
    uri = server.open(path)
    server.until(uri, "ready")
    return uri


def _start_seconds(command: tuple[str, ...]) -> float:
    with Wire(command) as server:
        server.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        return time.perf_counter() - server.started


def _full(server: Wire, uri: str) -> tuple[float, bytes]:
    return server.timed("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})


def _hovers(server: Wire, uri: str, path: Path, count: int, every: float = HOVER_EVERY_SECONDS) -> list[float]:
    """Seconds of each hover, at random tokens."""
    data = json.loads(_full(server, uri)[1])["result"]["data"]
    places, line, column = [], 0, 0
    for at in range(0, len(data), 5):
        line, column = line + data[at], data[at + 1] if data[at] else column + data[at + 1]
        places.append({"line": line, "character": column})
    found = []
    for place in random.Random(0).choices(places, k=count):  # noqa: S311
        seconds, answer = server.timed("textDocument/hover", {"textDocument": {"uri": uri}, "position": place})
        if b"KL(aligned" not in answer and b"KL&#40;" not in answer:
            raise RuntimeError(f"no card at {place} of {path}")
        found.append(seconds)
        time.sleep(every)
    return found


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


BENCHES = (
    Bench({"server_start": "<= 1.3"}, one("server_start", server_start)),
    Bench({"tokens_20k_ms": "<= 40"}, one("tokens_20k_ms", functools.partial(tokens_ms, 20_000))),
    Bench({"tokens_100k_ms": "<= 200"}, one("tokens_100k_ms", functools.partial(tokens_ms, 100_000))),
    Bench({"server_rss_mib": "<= 120"}, one("server_rss_mib", server_rss_mib), linux_only=True),
    Bench({"hover_p99_ms": "<= 20", "hover_p99_idle_ratio": "<= 3"}, hover_ms),
    Bench({"reopen": "<= 0.05"}, one("reopen", reopen)),
)

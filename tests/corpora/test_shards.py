"""A run in shards comes to the output of a run in one process, and goes on likewise."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.stand_in import CHOICE, Engine, Killed, aligntds, in_shards, in_turn, run_corpus, write_lines
from processes import SECONDS
from shiftlens.corpora import windows
from shiftlens.corpora.files import corpus_files
from shiftlens.corpora.journal import Commit, Journal, go_on
from shiftlens.corpora.output import Output
from shiftlens.corpora.plan import open_journal, plan_of
from shiftlens.corpora.shards import drop_shards, shards_of
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import PairSpec


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(windows, "MOST_RESPONSES", 4)
    records: list[object] = [aligntds(number) for number in range(30)]
    records[5] = "broken"
    return [str(write_lines(tmp_path / "records.jsonl", records))]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("count", [1, 2, 3, 11])
async def test_shards_are_joined_to_the_bytes_of_one_run(
    name: str, count: int, corpus: list[str], tmp_path: Path
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")
    (tmp_path / "whole").mkdir()
    complete = Engine()
    await run_corpus(complete, corpus, tmp_path / "whole" / name)
    engines = [Engine() for _ in range(count)]
    await in_shards(corpus, tmp_path / name, count, *engines)
    assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sum(len(engine.jobs) for engine in engines) == len(complete.jobs)
    assert sorted(path.name for path in tmp_path.glob("out*")) == [name, f"{name}.journal"]


async def test_shards_go_on_after_an_end_at_any_time_and_after_a_run_in_one_process(
    corpus: list[str], tmp_path: Path
) -> None:
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    complete = Engine()
    await run_corpus(complete, corpus, whole)
    first = Engine(dies_at=2)
    with pytest.raises(Killed):
        await run_corpus(first, corpus, out)
    lives = [first]
    for dies_at in (0, 1, 1):
        lives += (Engine(), Engine(dies_at=dies_at))
        with pytest.raises(Killed):
            await in_shards(corpus, out, 2, *lives[-2:])
    lives += (Engine(), Engine())
    await in_shards(corpus, out, 2, *lives[-2:])
    assert out.read_bytes() == whole.read_bytes()
    assert sum(len(engine.jobs) for engine in lives) == len(complete.jobs)


@pytest.mark.parametrize("dies_at", range(12))
async def test_joining_shards_goes_on_where_it_was_cut_short(
    dies_at: int, corpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    await run_corpus(Engine(), corpus, whole)
    commits = 0

    def commit(journal: Journal, what: Commit) -> None:
        nonlocal commits
        if journal.path.name == "out.jsonl.journal":
            commits += 1
            if commits > dies_at:
                raise Killed
        whole_commit(journal, what)

    whole_commit = Journal.commit
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "commit", commit)
        try:
            await in_shards(corpus, out, 3, Engine(), Engine(), Engine())
        except Killed:
            assert dies_at < 10, "there are eight windows, then all is read, then the output is in its place"
        else:
            assert dies_at >= 10
    again = Engine()
    await in_shards(corpus, out, 3, again, again, again)
    assert not again.jobs
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.jsonl", "out.jsonl.journal"]


async def test_what_workers_have_left_is_scored_in_one_process_as_well(corpus: list[str], tmp_path: Path) -> None:
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    complete, begun = Engine(), (Engine(dies_at=3), Engine(dies_at=1))
    await run_corpus(complete, corpus, whole)
    with pytest.raises(Killed):
        await in_shards(corpus, out, 2, *begun)
    last = Engine()
    said = await in_turn(corpus, out, last)
    assert out.read_bytes() == whole.read_bytes()
    assert sum(len(engine.jobs) for engine in (*begun, last)) == len(complete.jobs)
    assert said[-1].progress.responses == 29
    done = [status.done for status in said]
    assert done == sorted(done)
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.jsonl", "out.jsonl.journal"]


async def test_a_run_without_shards_has_none_to_go_on_with(corpus: list[str], tmp_path: Path) -> None:
    output = Output(tmp_path / "out.jsonl")
    journal = open_journal(output, plan_of(output, corpus_files(corpus), CHOICE, None, 10_000))
    assert shards_of(output, journal) == ()
    journal.close()


async def test_shards_of_another_output_with_the_same_beginning_are_left_alone(
    corpus: list[str], tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        await in_shards(corpus, tmp_path / "out.parquet", 2, Engine(dies_at=1), Engine())
    with pytest.raises(Killed):
        await in_shards(corpus, tmp_path / "out.b.jsonl", 2, Engine(dies_at=1), Engine())
    theirs = {path: path.read_bytes() for path in tmp_path.glob("out*")}
    await in_shards(corpus, tmp_path / "out.jsonl", 3, Engine(), Engine(), Engine())
    assert {path: path.read_bytes() for path in theirs} == theirs


def test_everything_that_shards_may_leave_is_dropped(tmp_path: Path) -> None:
    left = ("out.shard-1-of-2.jsonl.part", "out.shard-2-of-2.jsonl.journal", ".out.shard-2-of-2.jsonl.journal.new")
    others = ("out.jsonl", "out.jsonl.part", "out.shard-x-of-2.jsonl.part", "my.out.shard-1-of-2.jsonl.part")
    for name in (*left, *others):
        (tmp_path / name).touch()
    drop_shards(Output(tmp_path / "out.jsonl"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


async def test_another_number_of_workers_is_refused(corpus: list[str], tmp_path: Path) -> None:
    with pytest.raises(Killed):
        await in_shards(corpus, tmp_path / "out.jsonl", 2, Engine(), Engine(dies_at=1))
    with pytest.raises(ShiftLensError, match="begun with 2 workers"):
        await in_shards(corpus, tmp_path / "out.jsonl", 3, Engine(), Engine(), Engine())


WITH_RAY = (
    pytest.mark.slow,
    pytest.mark.usefixtures("lasting_engines"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"),
    # Ray, two actors and two engines start, on two cores, up to four times.
    pytest.mark.timeout(900),
)


def with_ray(test: Callable[..., None]) -> Callable[..., None]:
    for mark in WITH_RAY:
        test = mark(test)
    return test


def corpus_command(models: PairSpec, folder: Path, *more: str) -> list[str]:
    """A command in a folder with 300 records and a line that is none."""
    lines = [json.dumps(aligntds(number)) for number in range(300)]
    records = folder / "records.jsonl"
    if not records.exists():
        records.write_text("\n".join([*lines, "{broken"]))
    named = ("--base", models.base, "--aligned", models.aligned, "--device", "cpu")
    return [sys.executable, "-m", "shiftlens", "corpus", "records.jsonl", *named, *more]


def ran(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "records.jsonl: line 301: " in done.stderr
    assert "1 row left out" in done.stderr
    return done.stderr


RAY = ("--engine", "ray", "--workers", "2")


@with_ray
def test_two_workers_of_ray_come_to_the_bytes_of_one_process(tiny_pair: PairSpec, tmp_path: Path) -> None:
    for name, more in (("one.jsonl", ()), ("two.jsonl", RAY)):
        ran(corpus_command(tiny_pair, tmp_path, "-o", name, *more), tmp_path)
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()


@with_ray
def test_a_run_on_ray_that_was_killed_goes_on_to_the_parquet_of_one_process(
    tiny_pair: PairSpec, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")
    command = corpus_command(tiny_pair, tmp_path, "-o", "two.parquet", *RAY)
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    started = time.monotonic()
    while not any(path.read_bytes().count(b"\n") > 1 for path in tmp_path.glob("two.shard-*.journal")):
        assert first.poll() is None
        assert time.monotonic() - started < 4 * SECONDS
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "two.parquet").exists()
    wait_for_locks(*tmp_path.glob("two.shard-*.journal"))
    ran(command, tmp_path)
    ran(corpus_command(tiny_pair, tmp_path, "-o", "one.parquet"), tmp_path)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.glob("two*")) == ["two.parquet", "two.parquet.journal"]


def wait_for_locks(*journals: Path) -> None:
    """Until the actors of a killed command have ended with it, so that their journals are theirs no more."""
    started = time.monotonic()
    for path in journals:
        while True:
            try:
                go_on(path).close()
            except ShiftLensError:
                assert time.monotonic() - started < SECONDS
                time.sleep(0.1)
            else:
                break

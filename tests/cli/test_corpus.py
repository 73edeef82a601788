"""`shiftlens corpus` with real models: killed in mid-run, going on, and what it says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import SECONDS
from shiftlens.cli.main import main
from shiftlens.options.pair import PairSpec

RECORDS = 300


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "shiftlens", *map(str, arguments)]


@pytest.fixture(scope="module")
def models(tiny_pair: PairSpec) -> list[str]:
    return ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three windows of records, one of which is broken."""
    path = tmp_path_factory.mktemp("corpus") / "records.jsonl"
    rows = [
        {"pure_input": f"q{number}", "input": f"q{number}\n", "output": ["word " * (number % 5) + str(number)]}
        for number in range(RECORDS)
    ]
    lines = [json.dumps(row) for row in rows]
    lines[200] = "{broken"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_a_run_that_is_killed_goes_on_to_the_bytes_of_one_that_was_not(
    records: Path, models: list[str], tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    journal = tmp_path / "cut.jsonl.journal"
    first = subprocess.Popen(command("corpus", records, *models, "-o", cut), stderr=subprocess.PIPE)
    started = time.monotonic()
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
        assert first.poll() is None
        assert time.monotonic() - started < SECONDS
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not cut.exists()
    again = subprocess.run(command("corpus", records, *models, "-o", cut), capture_output=True, text=True)
    assert again.returncode == 1, again.stderr
    assert "Going on with a run that was cut short" in again.stderr
    never = subprocess.run(command("corpus", records, *models, "-o", whole), capture_output=True, text=True)
    assert f"{records}: line 201: " in never.stderr
    assert "1 row left out" in never.stderr
    assert cut.read_bytes() == whole.read_bytes()
    rows = [json.loads(line) for line in cut.read_text(encoding="utf-8").splitlines()]
    assert [row["row"] for row in rows] == [number for number in range(RECORDS) if number != 200]
    assert all("".join(row["tokens"]["text"]) == row["text"] for row in rows)
    summed = subprocess.run(command("corpus-summary", cut, "--format", "json"), capture_output=True, check=True)
    assert json.loads(summed.stdout)["summary"]["tokens"] == sum(len(row["tokens"]["id"]) for row in rows)
    # As where the end came after the output was complete and before what it was made of was removed.
    left = [tmp_path / name for name in ("cut.jsonl.part", "cut.shard-1-of-2.jsonl.part")]
    for path in left:
        path.touch()
    done = subprocess.run(command("corpus", records, *models, "-o", cut), capture_output=True, text=True)
    assert "is complete already" in done.stderr
    assert not any(path.exists() for path in left)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    try:
        code = main([str(each) for each in arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, capsys.readouterr().err


def test_what_is_wrong_is_told_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text("")
    cases: list[tuple[list[str | Path], int, str]] = [
        ([tmp_path, "-o", tmp_path / "out.csv"], 2, ".jsonl or .parquet"),
        ([tmp_path, "-o", tmp_path / "no" / "out.jsonl"], 2, "there is no folder"),
        ([tmp_path / "absent", "-o", tmp_path / "out.jsonl"], 1, "no such file"),
    ]
    for arguments, code, said in cases:
        assert refused(capsys, "corpus", "--bundled", *arguments)[0] == code
        assert said in refused(capsys, "corpus", "--bundled", *arguments)[1]
    assert "--bundled" in refused(capsys, "corpus", tmp_path, "-o", tmp_path / "out.jsonl")[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.jsonl").write_text("")
    code, said = refused(capsys, "corpus", "--bundled", tmp_path, "-o", tmp_path / "out.parquet")
    assert (code, "shiftlens[corpora]" in said) == (1, True)


def test_what_is_no_output_is_told_by_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.jsonl").write_text('{"file": 1}\n')
    code, said = refused(capsys, "corpus-summary", tmp_path / "out.jsonl")
    assert (code, "is no output of `shiftlens corpus`" in said) == (1, True)
    code, said = refused(capsys, "corpus-summary", tmp_path / "absent.jsonl")
    assert (code, "can't be read" in said) == (1, True)

"""`shiftlens cache`, and what `analyze` keeps and takes from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shiftlens.options.pair import PairSpec
from shiftlens.scores.location import CACHE_DIR_VARIABLE

_NO_ENGINE = """
import sys
from shiftlens.engine.client import EngineClient
async def none(self, pair):
    sys.exit("an engine was started")
EngineClient._linked = none
from shiftlens.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "talk.txt").write_text("User: hi\nAssistant: Great question!\nUser: and\nAssistant: So it is.\n")
    return tmp_path


def shiftlens(*arguments: str, code: int = 0, engine: bool = True) -> str:
    program = ["-m", "shiftlens"] if engine else ["-c", _NO_ENGINE]
    done = subprocess.run([sys.executable, *program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def _classes(analysis: dict[str, Any]) -> list[list[tuple[str, str]]]:
    return [[(token["text"], token["class"]) for token in response["tokens"]] for response in analysis["responses"]]


@pytest.mark.slow
def test_a_second_analysis_is_the_same_and_starts_no_engine(folder: Path, tiny_pair: PairSpec) -> None:
    analyze = ("analyze", str(folder / "talk.txt"), "--base", tiny_pair.base, "--aligned", tiny_pair.aligned)
    first = json.loads(shiftlens(*analyze, "--format", "json"))
    assert first["models"]["base"]["architecture"]
    assert first["models"]["base"]["fingerprint"]
    assert json.loads(shiftlens(*analyze, "--format", "json", engine=False)) == first
    assert "an engine was started" in shiftlens(*analyze, "--no-cache", engine=False, code=1)
    assert "an engine was started" in shiftlens(*analyze, "--top-k", "3", engine=False, code=1)
    # Classes are no part of a score.
    shiftlens(*analyze, "--thresholds", "1,50", engine=False)

    (folder / "talk.txt").write_text("User: hi\nAssistant: Great question!\nUser: new\nAssistant: It is.\n")
    second = json.loads(shiftlens(*analyze, "--format", "json"))
    assert second["responses"][0] == first["responses"][0]
    fresh = json.loads(shiftlens(*analyze, "--format", "json", "--no-cache"))
    # To the class, not to the bit: scored in one go, the second response goes on from the first one's cache.
    assert _classes(second) == _classes(fresh)
    assert second["models"] == first["models"]

    shown = json.loads(shiftlens("cache", "--format", "json"))
    assert shown["schema"] == "shiftlens-cache/1"
    assert Path(shown["path"]).parent == folder / "cache"
    # What each model gave for three responses.
    assert (shown["entries"], shown["sides"], shown["limit"]) == (3, 6, 256 << 20)
    assert 0 < shown["bytes"] < shown["file_bytes"]

    cleared = json.loads(shiftlens("cache", "clear", "--format", "json"))
    assert (cleared["removed"], cleared["entries"], cleared["bytes"]) == (3, 0, 0)


@pytest.mark.slow
def test_without_the_cache_no_score_is_written(folder: Path, tiny_pair: PairSpec) -> None:
    talk = str(folder / "talk.txt")
    shiftlens("analyze", talk, "--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--no-cache")
    # Which library is the quicker one here is no score, and holds nothing of the file.
    assert {file.name.rpartition("-")[0] for file in (folder / "cache").glob("*")} <= {"matrix-library"}


def test_the_cache_is_shown_and_cleared_where_there_is_none(folder: Path) -> None:
    assert str(folder / "cache") in shiftlens("cache")
    shown = shiftlens("cache", "show")
    assert "Results: 0" in shown
    assert "Sides:   0" in shown
    assert "Removed 0 results." in shiftlens("cache", "clear")
    assert not (folder / "cache").exists()


def test_a_cache_that_cannot_be_cleared_says_so(folder: Path) -> None:
    (folder / "cache").mkdir()
    (folder / "cache" / "scores.sqlite3").mkdir()
    (folder / "cache" / "scores.sqlite3.broken").write_bytes(b"")
    said = shiftlens("cache", "clear", code=1)
    assert "could not be cleared" in said
    assert "Traceback" not in said


def test_the_users_own_cache_folder_is_used_where_none_is_named(folder: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != CACHE_DIR_VARIABLE}
    env |= {"XDG_CACHE_HOME": str(folder), "HOME": str(folder), "LOCALAPPDATA": str(folder)}
    command = [sys.executable, "-m", "shiftlens", "cache", "--format", "json"]
    done = subprocess.run(command, capture_output=True, env=env, check=True, timeout=60)
    path = Path(json.loads(done.stdout)["path"])
    assert path.is_relative_to(folder)
    assert "shiftlens" in path.parts

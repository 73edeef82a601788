"""`shiftlens analyze --save` with real models, and what other commands make of its file where no torch is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.test_analyze import Ran, shiftlens
from shiftlens.options.pair import PairSpec
from sidecars import write_sidecar
from without_models import without_models

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Why?\nAssistant: Great question! It is so.\n\nUser: And?\nAssistant: No.\n"
SHORT = "User: q\nAssistant: ab\n\nUser: r\nAssistant: cd\n"


@pytest.fixture(scope="module")
def models(tiny_pair: PairSpec) -> list[str]:
    return ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.txt"
    path.write_text(SHORT, encoding="utf-8")
    return path


def without_torch(*arguments: str | Path, beside: Path) -> Ran:
    command = [sys.executable, "-m", "shiftlens", *map(str, arguments)]
    env = {**without_models(beside.parent / "site"), "SHIFTLENS_CACHE_DIR": str(beside.parent / "cache")}
    done = subprocess.run(command, capture_output=True, timeout=120, env=env)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_what_is_saved_where_the_models_are_is_shown_alike_where_no_torch_is(talk: Path, models: list[str]) -> None:
    saved = shiftlens("analyze", talk, *models, "--save", "--format", "json")
    assert saved.code == 0, saved.err
    assert "The scores of 2 responses are saved in talk.txt.shiftlens.arrow." in saved.err
    shown = without_torch("analyze", talk, "--format", "json", beside=talk)
    assert shown.code == 0, shown.err
    assert ", from talk.txt.shiftlens.arrow." in shown.err
    first, second = json.loads(saved.out), json.loads(shown.out)
    assert first["responses"] == second["responses"]
    assert [first["models"][side]["fingerprint"] for side in ("base", "aligned")] == [
        second["models"][side]["fingerprint"] for side in ("base", "aligned")
    ]
    # What was saved may be saved again, from itself.
    again = without_torch("analyze", talk, "--save", beside=talk)
    assert again.code == 0, again.err
    report = without_torch("report", talk, "-o", talk.with_suffix(".html"), beside=talk)
    assert (report.code, report.out) == (0, ""), report.err
    page = without_torch("show", talk, "--color", "never", beside=talk)
    assert "All responses:" in page.out


def test_a_response_that_changed_is_refused_with_the_command_that_scores_it(short: Path) -> None:
    write_sidecar(short)
    short.write_text(SHORT.replace("cd", "ce"), encoding="utf-8")
    ran = without_torch("analyze", short, beside=short)
    assert ran.code == 1
    assert "response 2: It is not in short.txt.shiftlens.arrow as it is now." in ran.err
    assert "`shiftlens analyze short.txt --save`" in ran.err
    assert "Response 1" in ran.out


def test_without_a_sidecar_it_is_said_that_nothing_can_be_scored_here(short: Path) -> None:
    ran = without_torch("analyze", short, "--bundled", beside=short)
    assert ran.code == 1
    assert "for review only: torch and transformers are not installed" in ran.err
    assert "Traceback" not in ran.err


def test_a_file_that_is_no_sidecar_is_told_and_ends_nothing(short: Path) -> None:
    write_sidecar(short).write_bytes(b"ARROW1\0\0" + b"\xff" * 500)
    ran = without_torch("analyze", short, beside=short)
    assert ran.code == 1
    assert "short.txt.shiftlens.arrow is cut off." in ran.err
    assert "Traceback" not in ran.err


def test_a_sidecar_can_be_left_alone(short: Path) -> None:
    write_sidecar(short)
    for arguments in (["--sidecars", "never"], ["--no-cache"]):
        ran = without_torch("analyze", short, *arguments, beside=short)
        assert ran.code == 1
        assert "No base and aligned model is named." in ran.err


def test_standard_input_has_no_file_to_save_beside() -> None:
    ran = shiftlens("analyze", "-", "--bundled", "--save", stdin=TALK)
    assert ran.code == 2
    assert "--save writes beside a file, and standard input is none" in ran.err

"""`shiftlens report` with real models, and what it does not write over."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_analyze import Ran, shiftlens
from shiftlens.options.pair import PairSpec
from shiftlens.report.page import is_report

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Is <i>this</i> it?\n\nAssistant: Great question! It is <i>this</i>.\n"


@pytest.fixture(scope="module")
def models(tiny_pair: PairSpec) -> list[str]:
    return ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def report(*arguments: str | Path) -> Ran:
    return shiftlens("report", *arguments)


def test_files_become_one_page_and_what_failed_is_in_it(talk: Path, tmp_path: Path, models: list[str]) -> None:
    prose = tmp_path / "prose.txt"
    prose.write_text("Nothing but prose.\n", encoding="utf-8")
    out = tmp_path / "report.html"
    ran = report(talk, prose, *models, "-o", out)
    page = out.read_text(encoding="utf-8")
    assert ran.code == 1
    assert "not a transcript" in ran.err
    assert is_report(page[:4096].encode())
    assert "prose.txt is not in this report" in page
    assert "<i>" not in page
    again = report(talk, *models, "-o", out)
    assert (again.code, again.out) == (0, "")
    assert "prose.txt" not in out.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.glob(".*.part")] == []


def test_a_file_that_is_no_report_is_left_alone_unless_forced(talk: Path, tmp_path: Path, models: list[str]) -> None:
    precious = tmp_path / "precious.html"
    precious.write_text("<!DOCTYPE html><p>mine</p>", encoding="utf-8")
    ran = report(talk, *models, "-o", precious)
    assert ran.code == 2
    assert "--force" in ran.err
    assert precious.read_text(encoding="utf-8") == "<!DOCTYPE html><p>mine</p>"
    assert report(talk, *models, "-o", precious, "--force").code == 0
    assert is_report(precious.read_bytes()[:4096])


def test_the_transcript_itself_is_not_written_over(talk: Path, models: list[str]) -> None:
    assert report(talk, *models, "-o", talk).code == 2
    assert talk.read_text(encoding="utf-8") == TALK


def test_where_nothing_can_be_analysed_nothing_is_written(tmp_path: Path, models: list[str]) -> None:
    ran = report(tmp_path / "absent.txt", *models, "-o", tmp_path / "report.html")
    assert ran.code == 1
    assert "no report was written" in ran.err
    assert not (tmp_path / "report.html").exists()
    nowhere = report(tmp_path / "absent.txt", *models, "-o", tmp_path / "nowhere" / "report.html")
    assert nowhere.code == 2
    assert "no folder" in nowhere.err

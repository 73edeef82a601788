"""`shiftlens report` with real models, and what it does not write over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.test_analyze import Ran, shiftlens
from report.page_reader import PageReader
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


def test_stages_have_a_table_of_the_tokens_that_they_moved(talk: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    raw = ["--base-context", "raw", "--aligned-context", "raw", "--device", "cpu"]
    stages = ["--stage", "bundled:base", "--stage", "bundled:aligned"]
    ran = report(talk, "--bundled", *raw, *stages, "-o", out)
    assert (ran.code, ran.out) == (0, "")
    page = PageReader(out.read_text(encoding="utf-8"))
    (table,) = page.all("table", "moved")
    told = json.loads(
        shiftlens("stages", talk, "--base", "bundled:base", *raw, *stages_as_aligned(stages), "--format", "json").out
    )
    tokens = told["responses"][0]["tokens"]
    moved = [token for token in tokens if any(each["moved"] for each in token["stages"])]
    assert moved
    rows = [row.text for row in page.all("tr")]
    for token in moved:
        said = "(end)" if token.get("end_of_response") else token["text"].replace(" ", "␣")
        (row,) = [text for text in rows if text.startswith(f"{token['index'] + 1}{said}")]
        assert row.endswith(str(token["first"] + 1))
    assert "stage 1" in table.text
    assert "stage 2" in table.text
    assert "first moved by stage 1: 0 (0.0%), stage 2:" in " ".join(page.all("details", "stages")[0].text.split())


def stages_as_aligned(stages: list[str]) -> list[str]:
    return ["--aligned" if each == "--stage" else each for each in stages]


def test_a_stage_that_can_not_be_had_is_told_of_and_the_rest_of_the_report_is_there(
    talk: Path, tmp_path: Path, models: list[str]
) -> None:
    out = tmp_path / "report.html"
    ran = report(talk, *models, "--stage", str(tmp_path / "nowhere"), "-o", out)
    assert ran.code == 1
    assert "Stages are not compared: " in ran.err
    page = PageReader(out.read_text(encoding="utf-8"))
    assert any("Stages are not compared: " in remark.text for remark in page.all("p", "remark"))
    assert page.all("section", "response")


def test_what_would_be_left_out_in_silence_is_wrong_usage(talk: Path, tmp_path: Path, models: list[str]) -> None:
    out = tmp_path / "report.html"
    for more, why in (
        (["--aligned", "another"], "--aligned names one model here; `shiftlens stages` compares several"),
        (["--stage", "a", "--stage", "a"], "--stage names a model twice"),
        (["--stage", "a", "--scores", "saved"], "--stage needs models"),
    ):
        ran = report(talk, *models, *more, "-o", out)
        assert (ran.code, why in ran.err) == (2, True), ran.err
    assert not out.exists()

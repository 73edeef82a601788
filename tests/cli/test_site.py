"""`shiftlens site` with real models: which files it takes, and what it does not write over."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.test_analyze import shiftlens
from processes import SECONDS, until
from report.page_reader import PageReader
from saved.test_aligntds import PROMPT, record
from shiftlens.bundled.paths import transcripts
from shiftlens.cli.replacing import replacing
from shiftlens.options.pair import PairSpec

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Is <i>this</i> it?\n\nAssistant: Great question! It is <i>this</i>.\n"


@pytest.fixture(scope="module")
def models(tiny_pair: PairSpec) -> list[str]:
    return ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of two transcripts, one of them further down, a text that is none, and what is hidden."""
    folder = tmp_path / "talks"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("b.txt", "more/a.txt", ".secret.txt", ".hidden/c.txt"):
        (folder / name).write_text(TALK, encoding="utf-8")
    (folder / "prose.txt").write_text("Nothing but prose.\n", encoding="utf-8")
    return folder


def test_a_folder_gives_a_page_for_each_response_and_says_what_is_no_transcript(
    folder: Path, tmp_path: Path, models: list[str]
) -> None:
    out = tmp_path / "out"
    ran = shiftlens("site", folder, *models, "-o", out)
    assert ran.code == 1
    assert "not a transcript" in ran.err
    index = PageReader((out / "index.html").read_text(encoding="utf-8"))
    assert any("prose.txt is not here: " in remark.text for remark in index.all("p", "remark"))
    cells = [row.text for row in index.all("tbody")[-1:]]
    assert "b.txt" in cells[0]
    assert "a.txt" in cells[0]
    assert "secret" not in cells[0]
    assert sorted(path.name for path in (out / "pages").iterdir()) == ["0.html", "1.html"]
    assert [path.name for path in tmp_path.glob(".*.part")] == []


def test_a_sidecar_in_a_folder_is_read_with_its_file_and_is_no_file_of_its_own(
    folder: Path, tmp_path: Path, models: list[str]
) -> None:
    (folder / "prose.txt").unlink()
    assert shiftlens("analyze", folder / "b.txt", *models, "--save").code == 0
    assert (folder / "b.txt.shiftlens.arrow").is_file()
    ran = shiftlens("site", folder, *models, "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert len(list((tmp_path / "out" / "pages").iterdir())) == 2


def test_an_earlier_site_is_replaced_whole_and_is_not_read_itself(folder: Path, models: list[str]) -> None:
    out = folder / "site"
    assert shiftlens("site", folder / "b.txt", folder / "more" / "a.txt", *models, "-o", out).code == 0
    assert (out / "pages" / "1.html").is_file()
    (folder / "prose.txt").unlink()
    (folder / "more" / "a.txt").unlink()
    assert shiftlens("site", folder, *models, "-o", out).code == 0
    assert [path.name for path in (out / "pages").iterdir()] == ["0.html"]


def test_a_folder_with_anything_of_the_users_is_left_alone(folder: Path, models: list[str]) -> None:
    ran = shiftlens("site", folder / "b.txt", *models, "-o", folder)
    assert ran.code == 2
    assert "no part of a site of ShiftLens" in ran.err
    assert (folder / "b.txt").read_text(encoding="utf-8") == TALK


def test_where_nothing_can_be_analysed_nothing_is_written(folder: Path, tmp_path: Path, models: list[str]) -> None:
    ran = shiftlens("site", folder / "prose.txt", *models, "-o", tmp_path / "out")
    assert ran.code == 1
    assert "no site was written" in ran.err
    assert not (tmp_path / "out").exists()
    assert "no folder" in shiftlens("site", folder, *models, "-o", tmp_path / "nowhere" / "out").err


def test_records_as_published_have_every_field_of_their_page_under_the_bundled_pair(tmp_path: Path) -> None:
    records = next(path for path in transcripts() if path.name == "aligntds.json")
    out = tmp_path / "out"
    assert shiftlens("site", records, "--bundled", "--compat", "aligntds", "-o", out).code == 0
    for number, query in enumerate(["What is a glacier?", "Tell me about iron."]):
        page = PageReader((out / "pages" / f"{number}.html").read_text(encoding="utf-8"))
        assert page.all("h1")[0].text == f"ID: {number}"
        assert page.all("div", "query")[0].text == query
        scores = page.json("scores")
        rows = len(scores["piece"])
        assert len(page.all("div", "text")[0].text) > rows
        assert scores["base"]["k"] == scores["aligned"]["k"] == 30
        names = ["KL@10", "Jaccard@10", "WS@10", "TR@10", "TP", "BTP", "nDCG"]
        assert list(scores["measures"]) == names
        assert all(len(scores["measures"][name]) == rows for name in names)
        assert query in scores["prefixes"]["base"]
        assert query in scores["prefixes"]["aligned"]


def test_each_page_has_the_tokens_that_stages_moved_as_a_report_has_them(folder: Path, tmp_path: Path) -> None:
    talk, out, page = folder / "b.txt", tmp_path / "out", tmp_path / "report.html"
    options = ["--bundled", "--base-context", "raw", "--aligned-context", "raw", "--device", "cpu"]
    stages = ["--stage", "bundled:base", "--stage", "bundled:aligned"]
    assert shiftlens("site", talk, *options, *stages, "-o", out).code == 0
    assert shiftlens("report", talk, *options, *stages, "-o", page).code == 0
    report = PageReader(page.read_text(encoding="utf-8"))
    of_response = PageReader((out / "pages" / "0.html").read_text(encoding="utf-8"))
    (moved,), (expected,) = of_response.all("table", "moved"), report.all("table", "moved")
    assert moved.text == expected.text
    index = PageReader((out / "index.html").read_text(encoding="utf-8"))
    assert index.all("details", "stages")[0].text == report.all("details", "stages")[0].text
    told = json.loads((out / "figures.json").read_text(encoding="utf-8"))["stages"]
    assert told["names"] == ["bundled:base", "bundled:aligned"]
    assert told["moved_by"][0] == 0
    assert told["moved_by"][1] > 0
    assert sum(told["moved_by"]) + told["unmoved"] + told["unknown"] == told["positions"]


def test_a_stage_that_can_not_be_had_is_told_of_and_the_pages_are_there(
    folder: Path, tmp_path: Path, models: list[str]
) -> None:
    out = tmp_path / "out"
    ran = shiftlens("site", folder / "b.txt", *models, "--stage", str(tmp_path / "nowhere"), "-o", out)
    assert ran.code == 1
    assert "Stages are not compared: " in ran.err
    index = PageReader((out / "index.html").read_text(encoding="utf-8"))
    assert any("b.txt: Stages are not compared: " in remark.text for remark in index.all("p", "remark"))
    assert "All responses:" not in index.all("details", "stages")[0].text
    assert PageReader((out / "pages" / "0.html").read_text(encoding="utf-8")).all("section", "response")


def test_positions_that_aligntds_saved_become_the_pages_that_it_makes_of_them(tmp_path: Path) -> None:
    (tmp_path / "positions.json").write_text(record(), encoding="utf-8")
    out = tmp_path / "out"
    assert shiftlens("site", tmp_path / "positions.json", "--scores", "saved", "-o", out).code == 0
    page = PageReader((out / "pages" / "0.html").read_text(encoding="utf-8"))
    assert page.all("div", "query")[0].text == "Why?"
    assert page.all("div", "text")[0].text == "Thank you!■"
    scores = page.json("scores")
    assert scores["measures"]["TR@10"] == ["1", "0", "10", "10"]
    assert scores["class"] == [1, 0, 2, 2]
    assert scores["prefixes"] == {"base": PROMPT, "aligned": "<s>[INST] Why? [/INST]"}


def test_a_site_that_can_not_be_put_in_place_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("before")
    with pytest.raises(OSError, match="No such file"), replacing(site) as fresh:
        shutil.rmtree(fresh)
    assert (site / "index.html").read_text() == "before"
    assert list(tmp_path.iterdir()) == [site]


async def ended_by(number: signal.Signals, folder: Path, out: Path, models: list[str]) -> int:
    """The exit code of a run over many files that gets a signal while it writes."""
    for count in range(200):
        (folder / f"many-{count}.txt").write_text(TALK.replace("it?", f"it, {count}?"), encoding="utf-8")
    command = [sys.executable, "-m", "shiftlens", "site", str(folder), *models, "-o", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        await until(lambda: process.poll() is not None or list(out.parent.glob(".out.*.part/*/pages/*.html")))
        process.send_signal(number)
        return process.wait(timeout=SECONDS)


async def test_a_run_that_is_asked_to_end_leaves_nothing_behind(
    folder: Path, tmp_path: Path, models: list[str]
) -> None:
    assert await ended_by(signal.SIGTERM, folder, tmp_path / "out", models) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["talks"]


async def test_what_a_killed_run_leaves_behind_goes_with_the_next_one(
    folder: Path, tmp_path: Path, models: list[str]
) -> None:
    out = tmp_path / "out"
    assert await ended_by(signal.SIGKILL, folder, out, models) == -signal.SIGKILL
    assert len(list(tmp_path.glob(".out.*.part"))) == 1
    assert shiftlens("site", folder / "b.txt", *models, "-o", out).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "talks"]


def test_the_folder_of_a_run_that_goes_on_stays_and_so_does_what_is_not_known_to_be_one(tmp_path: Path) -> None:
    site = tmp_path / "a [b]*"
    unknown = tmp_path / ".a [b]*.x.part"
    unknown.mkdir()
    (unknown / "mine.txt").write_text("mine")
    with replacing(site) as first:
        (first / "index.html").write_text("first")
        with replacing(site) as second:
            (second / "index.html").write_text("second")
        assert (site / "index.html").read_text() == "second"
    assert (site / "index.html").read_text() == "first"
    assert (unknown / "mine.txt").read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [unknown, site]


def test_a_site_that_a_killed_run_had_put_aside_comes_back(tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / ".site.x.part"
    (work / "before").mkdir(parents=True)
    (work / "before" / "index.html").write_text("before")
    (work / "lock").touch()
    with pytest.raises(RuntimeError), replacing(site):
        raise RuntimeError
    assert (site / "index.html").read_text() == "before"
    assert list(tmp_path.iterdir()) == [site]

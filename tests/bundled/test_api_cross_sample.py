"""`shiftlens.cross_sample`: the numbers of the command, as Python has them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import shiftlens
from cli.test_cross_sample import json_of
from report.page_reader import PageReader
from shiftlens.analysis.cross_sampling_table import COLUMNS
from shiftlens.errors import ModelError, ScoringError, TranscriptError

PAIR: dict[str, Any] = {"base": "bundled:base", "aligned": "bundled:aligned", "device": "cpu"}
TALK = (
    "User: Why is the sky blue?\n\nAssistant: Great question! <b>Air</b> scatters blue light.\n\n"
    "User: And iron?\n\nAssistant: Great question! Iron is a metal.\n"
)
FEW: dict[str, Any] = {"samples": 2, "seed": 7, "max_tokens": 6}
AS_WORDS = ("--samples", "2", "--seed", "7", "--max-tokens", "6")


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_the_most_shifted_positions_have_the_numbers_of_the_command(talk: Path) -> None:
    found = shiftlens.cross_sample(talk, most=2, response=1, **FEW, **PAIR)
    assert found.to_json() == json_of(talk, "--most", "2", "--response", "2", *AS_WORDS)
    assert {each.position.response for each in found.positions} == {1}
    frame, table = found.to_pandas(), found.to_arrow()
    assert list(frame.columns) == table.column_names == [column.name for column in COLUMNS]
    # Two positions, four arms, a greedy continuation and two drawn ones.
    assert len(frame) == table.num_rows == 2 * 4 * 3
    assert list(frame["seed"].dropna().unique()) == [7, 8]
    for position in found.positions:
        own = frame[(frame["position"] == position.position.row) & frame["seed"].notna()]
        means = own.groupby("arm")["edit_distance"].mean()
        assert math.isclose(means["swapped"] - means["kept"], position.effect, abs_tol=1e-12)
        assert set(own["effect"]) == {position.effect}
    assert table["text"].to_pylist() == list(frame["text"])


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_a_budget_of_swaps_in_one_go_has_the_numbers_of_the_command(talk: Path) -> None:
    found = shiftlens.cross_sample(talk, most=2, together=True, **FEW, **PAIR)
    assert found.to_json() == json_of(talk, "--most", "2", "--together", *AS_WORDS)
    assert found.together is not None
    assert [each.response for each in found.together] == [0, 1]
    frame = found.to_pandas()
    assert frame["position"].isna().all()
    swapped = frame[frame["arm"] == "swapped"]
    assert (swapped["swapped"] <= 2).all()
    assert frame[frame["arm"] == "kept"]["from_rank"].isna().all()
    html = found._repr_html_()
    assert "up to 2 tokens swapped in one go" in html
    assert {element.tag for element in PageReader(html).elements} == {"pre"}


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
async def test_a_place_of_the_text_is_sampled_from_within_a_running_loop(talk: Path) -> None:
    found = shiftlens.cross_sample(talk, at=(3, 18), samples=0, max_tokens=4, **PAIR)
    assert found.to_json() == json_of(talk, "--at", "3:18", "--samples", "0", "--max-tokens", "4")
    (position,) = found.positions
    assert position.position.said.piece == b" question"
    html = found._repr_html_()
    assert {element.tag for element in PageReader(html).elements} == {"pre"}
    assert "3:17" in PageReader(html).elements[0].text
    by_row = shiftlens.cross_sample(TALK, at=position.position.row, samples=0, max_tokens=4, **PAIR)
    assert by_row.positions == found.positions
    assert by_row.to_json()["file"] == ""


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_what_has_nothing_to_swap_is_told_of_and_what_is_not_there_is_an_error(talk: Path) -> None:
    unswapped = shiftlens.cross_sample(talk, at=3, samples=0, **PAIR)
    assert unswapped.positions == ()
    assert "nothing to swap" in unswapped.not_sampled[0].message
    assert "nothing to swap" in unswapped._repr_html_()
    assert len(unswapped.to_pandas()) == 0
    with pytest.raises(TranscriptError, match="has no position 99"):
        shiftlens.cross_sample(talk, at=99, **PAIR)
    with pytest.raises(TranscriptError, match="Nothing that is scored stands at 1:1"):
        shiftlens.cross_sample(talk, at=(1, 1), **PAIR)


def test_what_can_not_be_asked_for_is_an_error_before_anything_is_scored(talk: Path) -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, ValueError, "one of `at` and `most`"),
        ({"at": 1, "most": 1}, ValueError, "one of `at` and `most`"),
        ({"at": 1, "together": True}, ValueError, "as `most`"),
        ({"most": 0}, ValueError, "from 1"),
        ({"at": -1}, ValueError, "from 0"),
        ({"most": 1, "samples": 101}, ScoringError, "0 to 100 samples"),
        ({"most": 1, "response": 2}, TranscriptError, "no response of index 2: there are 2, counted from 0"),
        ({"most": 1, "basecontext": "raw"}, TypeError, "unexpected keyword argument 'basecontext'"),
        ({"most": 1, "base": ""}, ModelError, "both `base` and `aligned`"),
    ]
    for given, error, words in wrong:
        with pytest.raises(error, match=words):
            shiftlens.cross_sample(talk, **{**PAIR, **given})

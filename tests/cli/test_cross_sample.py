"""`shiftlens cross-sample` on the bundled pair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shiftlens.analysis.cross_sampling_contract import schema

pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def ran(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
    line = [sys.executable, "-m", "shiftlens", "cross-sample", "--bundled", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def json_of(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(*arguments, "--format", "json", code=code)[0])
    Draft202012Validator(schema()).validate(found)
    return found


def test_the_most_shifted_positions_are_swapped_and_come_again_the_same(talk: Path) -> None:
    arguments = (talk, "--most", "3", "--samples", "2", "--seed", "7", "--max-tokens", "6")
    found = json_of(*arguments)
    ranks = [position["base"]["rank"] for position in found["positions"]]
    assert ranks == sorted(ranks, reverse=True)
    assert len(ranks) == 3
    for position in found["positions"]:
        assert position["class"] == "shifted"
        assert TALK[position["start"] : position["end"]] == position["text"]
        for arm in position["arms"]:
            assert [each["seed"] for each in arm["continuations"]] == [None, 7, 8]
            assert arm["token"] in (
                {"text": position["text"]},
                {key: value for key, value in position["base"]["choice"].items() if key != "prob"},
                {key: value for key, value in position["aligned"]["choice"].items() if key != "prob"},
            )
    assert found == json_of(*arguments)


def test_the_table_has_a_row_for_each_position_and_states_its_seeds(talk: Path) -> None:
    arguments = (talk, "--most", "2", "--samples", "2", "--seed", "7", "--max-tokens", "6")
    out, _ = ran(*arguments)
    assert "6 tokens behind the position; seeds 7 to 8, temperature 1" in out
    head, *rows = out.split("\n\n", 1)[1].splitlines()
    assert head.split()[:3] == ["response", "position", "token"]
    assert len(rows) == 2
    assert ran(*arguments)[0] == out


def test_a_place_of_the_file_is_the_position_that_stands_there(talk: Path) -> None:
    by_place = json_of(talk, "--at", "3:18", "--samples", "0", "--max-tokens", "4")
    (position,) = by_place["positions"]
    assert position["text"] == " question"
    assert by_place == json_of(talk, "--at", str(position["index"]), "--samples", "0", "--max-tokens", "4")


def test_what_can_not_be_swapped_is_refused_in_words(talk: Path) -> None:
    assert "has no position 99" in ran(talk, "--at", "99", code=1)[1]
    assert "Nothing that is scored stands at 1:1" in ran(talk, "--at", "1:1", code=1)[1]
    assert "no response 2" in ran(talk, "--most", "1", "--response", "2", code=1)[1]
    assert "0 to 100 samples" in ran(talk, "--most", "1", "--samples", "101", code=1)[1]
    assert "one of the arguments --at --most is required" in ran(talk, code=2)[1]
    unswapped = json_of(talk, "--at", "3", "--samples", "0", code=1)
    assert unswapped["positions"] == []
    assert "nothing to swap" in unswapped["not_sampled"][0]["message"]
    assert json_of(talk, "--at", "99", code=1)["error"]["kind"] == "TranscriptError"


def test_a_budget_is_swapped_in_one_go_and_comes_again_the_same(talk: Path) -> None:
    arguments = (talk, "--most", "2", "--together", "--samples", "1", "--seed", "7", "--max-tokens", "12")
    found = json_of(*arguments)
    assert (found["positions"], found["settings"]["most"]) == ([], 2)
    (response,) = found["together"]
    assert TALK.split("Assistant: ")[1].startswith(response["said"])
    for arm in response["arms"]:
        assert [each["seed"] for each in arm["continuations"]] == [None, 7]
        assert all(
            len(each["swapped"]) <= (2 if arm["choices"] != arm["model"] else 0) for each in arm["continuations"]
        )
    assert found == json_of(*arguments)
    out, _ = ran(*arguments)
    assert "up to 2 tokens swapped in one go, the most shifted; edit distance to the response over 12 tokens" in out
    assert "⟦" in out


def test_a_budget_without_a_number_is_wrong_usage(talk: Path) -> None:
    assert "name M with --most M" in ran(talk, "--at", "3", "--together", code=2)[1]

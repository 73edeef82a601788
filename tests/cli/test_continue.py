"""`shiftlens continue` and `shiftlens rank` on the bundled pair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def ran(command: str, *arguments: str | Path, code: int = 0) -> tuple[str, str]:
    line = [sys.executable, "-m", "shiftlens", command, "--bundled", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def json_of(command: str, *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(command, *arguments, "--format", "json")[0])
    return found


def test_at_a_shifted_position_the_base_goes_on_with_its_top_candidate(talk: Path) -> None:
    (response,) = json_of("analyze", talk)["responses"]
    shifted = [position for position, token in enumerate(response["tokens"]) if token["class"] == "shifted"]
    assert shifted
    position = shifted[0]
    found = json_of("continue", talk, "--at", str(position), "--max-tokens", "3")
    assert (found["schema"], found["position"], found["positions"]) == (
        "shiftlens-continue/1",
        position,
        len(response["tokens"]),
    )
    assert [each["voice"] for each in found["continuations"]] == ["base", "aligned"]
    for each in found["continuations"]:
        assert each["tokens"][0]["id"] == response["tokens"][position][each["voice"]]["top"][0]["id"]


def test_continuations_state_their_seeds_and_come_again_the_same(talk: Path) -> None:
    arguments = (talk, "--at", "2", "--samples", "2", "--seed", "7", "--alpha", "0.5", "--max-tokens", "5")
    found = json_of("continue", *arguments)
    assert [each["seed"] for each in found["continuations"]] == [None, 7, 8] * 3
    assert [each["alpha"] for each in found["continuations"]] == [-1.0] * 3 + [0.0] * 3 + [0.5] * 3
    assert found == json_of("continue", *arguments)


def test_the_text_says_what_the_response_says_and_each_model_beside_it(talk: Path) -> None:
    out, _ = ran("continue", talk, "--at", "1:1", code=1)
    assert out == ""
    out, _ = ran("continue", talk, "--at", "3:18", "--samples", "1", "--max-tokens", "4")
    assert 'behind "Great' in out
    assert "The response says:\n   question! Air" in out
    assert "\nbase, greedy:\n" in out
    assert "\naligned, seed 0, temperature 1:\n" in out
    assert "[cut at --max-tokens" in out


def test_a_rank_that_is_asked_for_is_that_of_the_analysis(talk: Path) -> None:
    (response,) = json_of("analyze", talk)["responses"]
    token = response["tokens"][2]
    found = json_of("rank", talk, token["text"], "--at", "2")
    for side in ("base", "aligned"):
        (own,) = found[side]["tokens"]
        assert own["rank"] == token[side]["rank"]
        assert own["logprob"] == pytest.approx(token[side]["logprob"], abs=1e-3)
    out, _ = ran("rank", talk, token["text"], "--at", "2")
    assert f"rank {token['base']['rank']:>6,}" in out


def test_what_is_not_there_is_refused_in_words(talk: Path) -> None:
    assert "has no position 99" in ran("continue", talk, "--at", "99", code=1)[1]
    assert "no response 2" in ran("rank", talk, "x", "--at", "0", "--response", "2", code=1)[1]
    assert "neither a position" in ran("rank", talk, "x", "--at", "first", code=2)[1]

"""`shiftlens stages` on the bundled models: the base model as a first stage that moves nothing, then the tuned one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shiftlens.analysis.stages_contract import schema
from tiny_models import save_model, sentence_piece_tokenizer

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"
STAGES = ("--base", "bundled:base", "--aligned", "bundled:base", "--aligned", "bundled:aligned")
RAW = ("--base-context", "raw", "--aligned-context", "raw")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def ran(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
    command = [sys.executable, "-m", "shiftlens", "stages", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def found_in(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(*arguments, "--format", "json", code=code)[0])
    Draft202012Validator(schema()).validate(found)
    return found


def test_the_stage_that_was_taught_the_manner_of_speech_is_the_first_to_move_it(talk: Path) -> None:
    found = found_in(talk, *STAGES, *RAW)
    assert found["models"] == {"base": "bundled:base", "stages": ["bundled:base", "bundled:aligned"]}
    assert found["summary"]["moved_by"][0] == 0
    assert found["summary"]["moved_by"][1] > 0
    tokens = found["responses"][0]["tokens"]
    assert {token["first"] for token in tokens if token["text"] in (" question", "!")} == {1}
    assert all(token["stages"][0]["rank"] == token["base"]["rank"] for token in tokens)
    for token in tokens:
        if not token.get("end_of_response"):
            assert TALK[token["start"] : token["end"]] == token["text"]


def test_the_table_has_each_moved_token_with_rank_and_probability_under_each_model(talk: Path, tmp_path: Path) -> None:
    said, _ = ran(talk, *STAGES, *RAW, "-o", tmp_path / "table.txt")
    text = (tmp_path / "table.txt").read_text(encoding="utf-8")
    assert said == ""
    assert "stage 2: bundled:aligned\n" in text
    assert "first moved by stage 1: 0 (0.0%), stage 2: " in text
    assert re.search(r"^position +token +base +stage 1 +stage 2 +first$", text, re.MULTILINE)
    (row,) = [line for line in text.splitlines() if "question" in line]
    assert re.fullmatch(r" +3  ␣question +([\d,]+ \(\S+\)) +\1 +1 \(\d+\.\d+%\) +2", row)


def test_a_threshold_of_one_leaves_the_first_choices_alone(talk: Path) -> None:
    strict = found_in(talk, *STAGES, *RAW, "--min-change", "1")
    moved = [token for token in strict["responses"][0]["tokens"] if token["first"] is not None]
    assert moved
    for token in moved:
        base, stage = token["base"]["choice"], token["stages"][1]["choice"]
        assert base["text"] != stage["text"] or base.get("end_of_response") != stage.get("end_of_response")


def test_a_stage_of_another_tokenizer_is_told_and_not_compared(talk: Path, tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", sentence_piece_tokenizer(), seed=3)
    pair = ("--base", "bundled:base", "--aligned", "bundled:aligned", "--aligned", other)
    found = found_in(talk, *pair, code=1)
    assert found["responses"] == []
    (told,) = found["not_compared"]
    assert (told["index"], told["stages"]) == (0, [1])
    _, complaints = ran(talk, *pair, code=1)
    assert f"response 1 is not compared, because of {other}: Its tokenizer" in complaints


def test_a_file_that_is_no_transcript_gives_an_error_as_the_schema_says(tmp_path: Path) -> None:
    prose = tmp_path / "prose.txt"
    prose.write_text("Nothing but prose.\n", encoding="utf-8")
    assert found_in(prose, *STAGES, code=1)["error"]["kind"] == "TranscriptError"


def test_a_model_that_is_named_twice_or_a_threshold_that_is_no_probability_is_wrong_usage(talk: Path) -> None:
    assert "twice" in ran(talk, *STAGES, "--aligned", "bundled:aligned", code=2)[1]
    assert "from 0 to 1" in ran(talk, *STAGES, "--min-change", "nan", code=2)[1]

"""`shiftlens noise-floor` on the bundled models."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from analysis.hand_made import response, scored, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.noise_floor import noise_of_file
from shiftlens.analysis.noise_floor_contract import schema
from shiftlens.cli.noise_floor import _print
from shiftlens.cli.paint import painter
from shiftlens.options.pair import ClassifyOptions
from shiftlens.pipeline.analyse import Analysed

pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"
IDENTICAL = ("--base", "bundled:aligned", "--aligned", "bundled:aligned", "--base-context", "chat")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def ran(*arguments: str | Path, code: int = 0) -> str:
    line = [sys.executable, "-m", "shiftlens", "noise-floor", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode()


def test_the_json_of_identical_models_has_no_shifted_position_beyond_the_floor(talk: Path) -> None:
    found = json.loads(ran(talk, *IDENTICAL, "--format", "json"))
    Draft202012Validator(schema()).validate(found)
    assert found["dtypes"] == {"real": "float32", "against": "bfloat16"}
    assert found["summary"]["shifted"]["beyond"] == 0
    assert found["summary"]["shifted"]["positions"] > 0
    assert all(token["withinFloor"] for token in found["responses"][0]["tokens"])


def test_the_text_marks_what_is_within_the_floor_and_counts_what_is_beyond(talk: Path) -> None:
    said = ran(talk, *IDENTICAL)
    assert "~ scatter~" in said
    assert "⟦ scatter" not in said
    assert "Beyond the noise floor: shifted 0 of 7; marginal 0 of 1; unshifted 0 of 4" in said
    assert "\x1b[2m" in ran(talk, *IDENTICAL, "--color", "always")
    assert "⟦reat⟧⟦ question⟧" in ran(talk, "--bundled")


def test_rounded_weights_are_what_the_noise_may_come_from(talk: Path) -> None:
    found = json.loads(ran(talk, "--bundled", "--against", "int8", "--format", "json"))
    Draft202012Validator(schema()).validate(found)
    assert found["dtypes"] == {"real": "float32", "against": "int8"}
    assert found["floor"]["logprob"] > 0
    said = ran(talk, "--bundled", "--against", "int8")
    assert "Noise is what the aligned model moves by with its weights rounded to int8, from float32" in said
    ran(talk, "--bundled", "--against", "int3", code=2)


def test_positions_without_a_class_are_not_said_to_be_within_the_floor() -> None:
    real = build(response("abc"), scored([b"a", b"b", b"c"], base_ranks=[0, 9, 0, 1], kl=[0.1] * 4), ClassifyOptions())
    itself = build(response("abc"), scored([b"a", b"b", b"c"], kl=[0.1] * 4), ClassifyOptions())
    found = noise_of_file([real], [itself], ("float32", "bfloat16"))
    out = io.StringIO()
    _print(painter(out, "never", greyed=True), "a.txt", Analysed(whole(real), {}, (), ()), found)
    assert "within the noise floor; so are the 2 positions without a class" in out.getvalue()

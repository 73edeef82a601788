"""`--scores saved`: what files hold, as text, JSON and report, without a model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from saved.files import MODEL, Row, written
from shiftlens.analysis.schema import schema
from shiftlens.api import analyze
from shiftlens.errors import ModelError

ROWS = [
    Row(5, b"a", -0.25, ((5, b"a", -0.25), (6, b"x", -2.5))),
    Row(7, b" b", -6.0, ((8, b" c", -0.5), (9, b" d", -2.0))),
    Row(2, b"</s>", -0.1, ((2, b"</s>", -0.1), (8, b" I", -4.0))),
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shiftlens", *arguments], capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answer.json"
    path.write_text(written("chat without its prompt", "a b", ROWS, 2), encoding="utf-8")
    return path


def test_the_json_of_saved_logprobs_fits_the_schema(file: Path) -> None:
    done = run("analyze", "--scores", "saved", "--format", "json", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    Draft202012Validator(schema()).validate(found)
    assert found["models"] == {"base": None, "aligned": {"name": MODEL}}
    (one,) = found["responses"]
    assert (one["classes_by"], one["model"]) == ("own-rank", MODEL)
    assert [token["class"] for token in one["tokens"]] == ["unshifted", None, "unshifted"]
    assert [token["aligned"].get("rank_above") for token in one["tokens"]] == [None, 2, None]


def test_a_file_without_logprobs_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("User: Why?\nAssistant: Because.\n", encoding="utf-8")
    done = run("analyze", "--scores", "saved", str(path))
    assert done.returncode == 1
    assert "holds no logprobs" in done.stderr
    assert "--scores models" in done.stderr


def test_an_answer_without_its_prompt_is_refused_by_models_with_a_word_on_its_logprobs(file: Path) -> None:
    done = run("analyze", "--bundled", "--no-cache", str(file))
    assert done.returncode == 1
    assert "--scores saved" in done.stderr


def test_the_python_api_shows_what_a_file_holds(file: Path) -> None:
    found = analyze(file, scores="saved")
    assert found.summary.tokens == 3
    assert found.responses[0].is_of_one_model
    with pytest.raises(ModelError, match="both"):
        analyze(file)


def test_a_report_of_saved_logprobs_is_written(file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run("report", "--scores", "saved", str(file), "-o", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    assert "surprised the model itself" in report.read_text(encoding="utf-8")


def test_models_beside_saved_scores_are_a_usage_error(file: Path) -> None:
    done = run("analyze", "--scores", "saved", "--bundled", str(file))
    assert done.returncode == 2
    assert "runs no model" in done.stderr

"""Files that the aligned model's own chat template wrote, in the terminal and from Python."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import shiftlens
from shiftlens.chat_templates import own
from shiftlens.cli.main import main
from shiftlens.errors import TranscriptError
from shiftlens.options.pair import PairSpec
from unusual_templates import ENDLESS, GUILLEMETS, with_template

TALK = (
    "«system» Be brief.\n«user» Why?\n«assistant» Great question!«over»\n«user» Really?\n«assistant» I hope so.«over»\n"
)


@pytest.fixture(scope="module")
def pair(tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    folder = Path(tmp_path_factory.mktemp("own")) / "aligned"
    return dataclasses.replace(tiny_pair, aligned=with_template(tiny_pair.aligned, folder, GUILLEMETS))


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def models(pair: PairSpec) -> list[str]:
    return ["--base", pair.base, "--aligned", pair.aligned, "--device", "cpu"]


def test_a_file_in_the_models_own_template_is_analysed_as_it_stands(
    talk: Path, pair: PairSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(talk), *models(pair), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "model-template"
    assert [response["text"] for response in found["responses"]] == ["Great question!", "I hope so."]
    for response in found["responses"]:
        assert TALK[response["start"] : response["end"]] == response["text"]
        # The model is given the file's own text. (A space before a word may be in the word's token.)
        assert response["prefix"]["aligned"]["text"].rstrip(" ") == TALK[: response["start"]].rstrip(" ")
        assert not response.get("notes")


def test_the_front_matter_may_name_the_model(talk: Path, pair: PairSpec, capsys: pytest.CaptureFixture[str]) -> None:
    front = f"---\nshiftlens:\n  base: {pair.base}\n  aligned: {pair.aligned}\n---\n"
    talk.write_text(front + TALK, encoding="utf-8")
    assert main(["analyze", str(talk), "--device", "cpu", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "model-template"


def test_a_page_and_a_report_are_made_of_it(talk: Path, pair: PairSpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(talk), *models(pair), "--color", "never"]) == 0
    assert "── system ──\n\nBe brief." in capsys.readouterr().out
    report = talk.with_name("report.html")
    assert main(["report", str(talk), *models(pair), "-o", str(report)]) == 0
    assert "model-template" in report.read_text(encoding="utf-8")


def test_its_vocabulary_is_compared(talk: Path, pair: PairSpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff-vocabulary", str(talk), *models(pair)]) == 0
    assert "positions compared" in capsys.readouterr().out


def test_an_answer_is_written_behind_it(talk: Path, pair: PairSpec, capsys: pytest.CaptureFixture[str]) -> None:
    talk.write_text(TALK + "«user» Why?\n«assistant»", encoding="utf-8")
    answered = talk.with_name("answered.txt")
    done = main(["generate", str(talk), *models(pair), "--max-tokens", "4", "-o", str(answered)])
    told = capsys.readouterr()
    assert done == 0, told.err
    assert answered.read_text(encoding="utf-8").startswith(TALK + "«user» Why?\n«assistant»")


def test_python_reads_it_too(pair: PairSpec) -> None:
    analysis = shiftlens.analyze(TALK, base=pair.base, aligned=pair.aligned, device="cpu")
    assert analysis.transcript.format == "model-template"
    with pytest.raises(TranscriptError, match="not a transcript"):
        shiftlens.analyze(TALK, base=pair.base, aligned=pair.base, device="cpu")


def test_without_the_model_the_file_is_no_transcript(
    talk: Path, tiny_pair: PairSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(talk), *models(tiny_pair)]) == 1
    assert "not a transcript in any format" in capsys.readouterr().err
    assert main(["show", str(talk), "--transcript-format", "model-template"]) == 1
    assert "goes by the chat template of the aligned model, and none is named" in capsys.readouterr().err


def test_a_model_that_is_not_on_this_machine_is_told_and_not_fetched(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert main(["analyze", str(talk), "--base", "a/b", "--aligned", "a/c", "--allow-download"]) == 1
    assert "a/c has no chat template on this machine, and nothing is downloaded" in capsys.readouterr().err


def test_a_template_without_end_leaves_the_file_unread_and_says_why(
    talk: Path,
    tiny_pair: PairSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(own, "SECONDS", 2.0)
    endless = with_template(tiny_pair.aligned, tmp_path / "endless", ENDLESS)
    for how in ([], ["--transcript-format", "model-template"]):
        assert main(["analyze", str(talk), "--base", tiny_pair.base, "--aligned", endless, *how]) == 1
        assert f"chat template of {endless}: it was stopped after 2 seconds." in capsys.readouterr().err

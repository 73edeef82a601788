"""Scores saved from Python: beside the file that holds what was analysed, and nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.hand_made import scored, whole
from analysis.test_one_model import analysed as of_one_model
from analysis.test_one_model import of_file
from shiftlens.analysis.classify import build
from shiftlens.errors import ScoringError, ShiftLensError, TranscriptError
from shiftlens.options.pair import ClassifyOptions
from shiftlens.pipeline.analyse import Analysed
from shiftlens.pipeline.sidecars import Sidecars
from shiftlens.report.results import TranscriptAnalysis
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.read import read

TALK = "User: q\nAssistant: ab\n"


def of_text(text: str, name: str = "") -> TranscriptAnalysis:
    """An analysis of a text with one response of two letters."""
    transcript = read(text, filename=name or None)
    assert transcript is not None
    one = transcript.responses[0]
    found = build(one, scored([letter.encode() for letter in one.text], base_ranks=[9, 1, 1]), ClassifyOptions())
    analysis = replace(whole(found), transcript=transcript)
    return TranscriptAnalysis.of(Analysed(analysis, {"base": None, "aligned": None}, (), ()), name, text)


def scores_beside(path: Path) -> list[object]:
    transcript = read(path.read_text(encoding="utf-8"), filename=path.name)
    assert transcript is not None
    return list(Sidecars().beside(path, Requests(transcript.responses, transcript.format)).scores.values())


def test_scores_are_saved_beside_the_file_that_was_analysed(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    analysis = of_text(TALK, str(talk))
    assert analysis.save() == tmp_path / "talk.txt.shiftlens.arrow"
    assert scores_beside(talk) == [analysis.responses[0].scored]


def test_scores_of_messages_are_saved_beside_the_file_that_their_text_was_written_to(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "ab"}]
    analysis = of_text(json.dumps({"messages": messages}))
    with pytest.raises(TranscriptError, match=r"nothing says where.*analysis\.save\(path\)"):
        analysis.save()
    talk = tmp_path / "talk.json"
    with pytest.raises(TranscriptError, match=r"talk\.json can't be read.*write that first"):
        analysis.save(talk)
    talk.write_text(analysis.text, encoding="utf-8")
    assert analysis.save(str(talk)).name == "talk.json.shiftlens.arrow"
    assert scores_beside(talk) == [analysis.responses[0].scored]


def test_scores_are_not_saved_beside_a_file_that_holds_something_else(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    analysis = of_text(TALK, str(talk))
    talk.write_text(TALK.replace("ab", "ac"), encoding="utf-8")
    with pytest.raises(TranscriptError, match="does not hold the text that was analysed"):
        analysis.save()
    assert [path.name for path in tmp_path.iterdir()] == ["talk.txt"]


def test_scores_of_one_model_alone_are_told_to_be_no_sidecar(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    found = of_file(of_one_model())
    analysis = TranscriptAnalysis.of(Analysed(found, {"base": None, "aligned": None}, (), ()), str(talk), TALK)
    with pytest.raises(ScoringError, match="scores of one model only"):
        analysis.save()


def test_a_sidecar_that_can_not_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    (tmp_path / "talk.txt.shiftlens.arrow").mkdir()
    with pytest.raises(ShiftLensError, match=r"talk\.txt\.shiftlens\.arrow can't be written"):
        of_text(TALK, str(talk)).save()

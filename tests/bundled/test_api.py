"""`shiftlens.analyze`, as a notebook would call it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import shiftlens
from shiftlens.analysis.tokens import tokens
from shiftlens.bundled.paths import transcripts
from shiftlens.cli.main import main
from shiftlens.errors import ModelError, PackageError, ScoringError, TranscriptError
from shiftlens.scores.requests import Requests
from shiftlens.scores.sidecar.file import open_sidecar, sidecar_path
from sidecars import NAMES, write_sidecar

PAIR: dict[str, Any] = {"base": "bundled:base", "aligned": "bundled:aligned"}


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
async def test_a_file_is_analysed_from_within_a_running_loop() -> None:
    path = next(path for path in transcripts() if path.name == "labels.txt")
    analysis = shiftlens.analyze(path, **PAIR)
    assert len(analysis.responses) == 3
    assert "".join(token.text for token in tokens(analysis.responses[0])) == analysis.responses[0].response.text
    assert analysis.summary.unshifted > analysis.summary.shifted > 0


def test_text_that_is_no_transcript_is_an_error_that_says_so() -> None:
    with pytest.raises(TranscriptError, match="transcript_format"):
        shiftlens.analyze("Dear diary", **PAIR)


MESSAGES = [
    {"role": "user", "content": "Tell me about iron."},
    {"role": "assistant", "content": "Iron is <b>a</b> metal."},
]


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_messages_are_analysed_as_the_record_of_a_log_is() -> None:
    analysis = shiftlens.analyze(MESSAGES, **PAIR)
    assert [found.text for found in analysis.responses] == ["Iron is <b>a</b> metal."]
    assert analysis.transcript.format == "openai"
    same = shiftlens.analyze({"messages": MESSAGES}, **PAIR)
    assert same.summary == analysis.summary


@pytest.mark.parametrize("messages", [["hello"], [{"role": "user", "content": object()}], [MESSAGES]])
def test_what_is_no_list_of_messages_is_an_error_that_says_so(messages: Any) -> None:
    with pytest.raises(TranscriptError, match=r"messages|JSON"):
        shiftlens.analyze(messages, **PAIR)


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_several_aligned_models_give_an_analysis_each_with_the_numbers_of_each_alone() -> None:
    names = ["bundled:aligned", "bundled:base"]
    # The base model has no chat template.
    contexts: dict[str, Any] = {"base_context": "few-shot", "aligned_context": "few-shot"}
    several = shiftlens.analyze(MESSAGES, base="bundled:base", aligned=names, **contexts)
    assert [each.pair.aligned for each in several] == names
    alone = shiftlens.analyze(MESSAGES, **PAIR, **contexts)
    assert several[0].responses[0].classes == alone.responses[0].classes
    assert several[1].summary.shifted == several[1].responses[0].classes.count(2)
    # The base model beside itself moves nothing.
    stages = several.stages()
    assert stages.summary.moved_by[1] == 0
    assert stages.summary.moved_by[0] > 0
    frame = several.to_pandas()
    assert list(frame["aligned_model"].unique()) == names
    # Each side ends a response in its own way, so that the end is no token of the comparison.
    base = frame[(frame["aligned_model"] == "bundled:base") & ~frame["end_of_response"]]
    assert len(base) == len(frame) // 2 - 1
    assert (base["logprob_difference"] == 0).all()
    html = several._repr_html_()
    assert html.count("<b>Response 1</b>") == 2


def test_a_model_named_twice_is_wrong_usage() -> None:
    for names in ([], ["bundled:aligned", "bundled:aligned"]):
        with pytest.raises(ValueError, match="different models"):
            shiftlens.analyze(MESSAGES, base="bundled:base", aligned=names)


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_tables_have_a_row_for_each_position() -> None:
    analysis = shiftlens.analyze(MESSAGES, **PAIR)
    rows = [token for found in analysis.responses for token in tokens(found)]
    frame, table = analysis.to_pandas(), analysis.to_arrow()
    assert len(frame) == table.num_rows == len(rows)
    assert list(frame["token"]) == table["token"].to_pylist() == [token.text for token in rows]
    assert list(frame["base_rank"]) == [token.base.rank for token in rows if token.base is not None]
    assert str(frame["base_rank"].dtype) == "Int64"
    assert table["kl"].to_pylist() == [token.kl for token in rows]


def test_without_pandas_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from shiftlens.report.frames import data_frame

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PackageError, match="pip install pandas"):
        data_frame([], [])


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_scores_that_are_saved_are_those_that_the_command_saves(tmp_path: Path) -> None:
    talks = [tmp_path / name / "talk.txt" for name in ("api", "command")]
    for talk in talks:
        talk.parent.mkdir()
        talk.write_text("User: Why?\nAssistant: It is so.\n\nUser: And?\nAssistant: No.\n", encoding="utf-8")
    saved = shiftlens.analyze(talks[0], **PAIR).save()
    pair = ("--base", PAIR["base"], "--aligned", PAIR["aligned"])
    assert main(["analyze", str(talks[1]), *pair, "--save", "-o", str(tmp_path / "out.txt")]) == 0
    ours, theirs = (open_sidecar(path) for path in (saved, sidecar_path(talks[1])))
    assert ours.about.models == theirs.about.models
    assert [each.request for each in ours.about.responses] == [each.request for each in theirs.about.responses]
    transcript = shiftlens.analyze(talks[0], **PAIR).transcript
    requests = Requests(transcript.responses, transcript.format)
    wanted = {requests.digest(at): requests[at] for at in range(2)}
    assert ours.scores(wanted) == theirs.scores(wanted)


def test_scores_beside_a_file_need_no_models(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text("User: q\nAssistant: ab\n\nUser: r\nAssistant: cd\n", encoding="utf-8")
    write_sidecar(talk)
    analysis = shiftlens.analyze(talk)
    assert (analysis.pair.base, analysis.pair.aligned) == NAMES
    assert [found.text for found in analysis.responses] == ["ab", "cd"]
    assert analysis.summary.shifted == 2
    assert ", from talk.txt.shiftlens.arrow" in analysis.source
    before = open_sidecar(sidecar_path(talk)).about
    assert open_sidecar(analysis.save()).about.responses == before.responses
    with pytest.raises(ModelError, match="needs both"):
        shiftlens.analyze(talk, sidecars="never")


def test_a_response_that_changed_since_it_was_scored_is_an_error_that_says_so(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text("User: q\nAssistant: ab\n\nUser: r\nAssistant: cd\n", encoding="utf-8")
    write_sidecar(talk)
    talk.write_text("User: q\nAssistant: ab\n\nUser: r\nAssistant: ce\n", encoding="utf-8")
    with pytest.raises(ScoringError, match=r"Response 2.*not in talk\.txt\.shiftlens\.arrow as it is now"):
        shiftlens.analyze(talk)
    talk.write_text("User: z\nAssistant: ab\n", encoding="utf-8")
    with pytest.raises(ModelError, match="is stale"):
        shiftlens.analyze(talk)


def test_where_no_sidecars_are_to_be_looked_for_is_named() -> None:
    with pytest.raises(ScoringError, match="'auto', 'always', 'never'"):
        shiftlens.analyze("User: q\nAssistant: a\n", **PAIR, sidecars="sometimes")

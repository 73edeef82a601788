"""Terminal views: escaping, legends, doctor and demo."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from pathlib import Path

import pytest

from analysis.hand_made import of_parts, scored, side
from shiftlens.analysis.classify import build
from shiftlens.analysis.highlights import Highlight
from shiftlens.analysis.model import Analysis, ShiftClass, Summary
from shiftlens.cli.main import main
from shiftlens.cli.paint import painter, print_analysis
from shiftlens.cli.progress import progress_on
from shiftlens.cli.reference import print_reference
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.text.source_map import SourceMap
from shiftlens.text.visible import harmless, one_line
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Trained, Transcript, Turn


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_that_steers_a_terminal_comes_through() -> None:
    assert harmless("a\x1b[31m\r\x07\x7f\x9b\u202e\n\tb") == "a␛[31m␍␇␡<U+009B><U+202E>\n\tb"
    assert harmless("👩\u200d🚀 é") == "👩\u200d🚀 é"


def test_a_header_is_one_short_line() -> None:
    assert one_line("\n\n  first\x1b  \nsecond") == "first␛"
    assert one_line("x" * 200, 10) == "x" * 9 + "…"
    assert one_line("") == ""


def test_what_is_printed_into_a_file_does_not_go_to_the_terminal_of_the_progress_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, terminal = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    with progress_on(terminal, "talk.txt"):
        print("a row")
    assert out.getvalue() == "a row\n"
    assert "a row" not in terminal.getvalue()


def test_without_colours_marks_tell_the_classes() -> None:
    out = io.StringIO()
    spans = [
        Highlight(0, 1, ShiftClass.SHIFTED),
        Highlight(1, 2, ShiftClass.MARGINAL),
        Highlight(2, 3, ShiftClass.UNSHIFTED),
    ]
    painter(out, "auto").spans("abc d", spans)
    assert out.getvalue() == "⟦a⟧⟨b⟩c d\n"


def test_a_line_break_that_is_shifted_can_be_seen() -> None:
    out = io.StringIO()
    painter(out, "never").spans("a\nb", [Highlight(1, 2, ShiftClass.SHIFTED)])
    assert out.getvalue() == "a⟦⏎\n⟧b\n"


def test_colours_come_with_a_second_cue_and_without_marks() -> None:
    out = io.StringIO()
    painter(out, "always").spans("a\x1b[2Jb", [Highlight(0, 1, ShiftClass.SHIFTED)])
    assert out.getvalue() == "\x1b[1;4;31ma\x1b[0m␛[2Jb\n"


def test_markup_is_text() -> None:
    out = io.StringIO()
    painter(out, "always").spans("[bold]:smile:[/bold]", [Highlight(0, 6, ShiftClass.UNSHIFTED)])
    assert out.getvalue() == "\x1b[34m[bold]\x1b[0m:smile:[/bold]\n"


def test_a_terminal_gets_colours_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert painter(Terminal(), "auto").colored
    monkeypatch.setenv("NO_COLOR", "1")
    assert not painter(Terminal(), "auto").colored
    assert painter(Terminal(), "always").colored


def test_shares_without_flagged_positions_are_told_where_there_are_any() -> None:
    out = io.StringIO()
    paint = painter(out, "never")
    paint.summary("Summary", Summary(4, 3, 0, 1, 1, 0, 0, 1))
    paint.summary("Summary", Summary(2, 1, 1, 0))
    first, second = out.getvalue().splitlines()
    assert first == (
        "Summary: 4 positions, 75.0% unshifted, 0.0% marginal, 25.0% shifted;"
        " without 1 flagged: 100.0% unshifted, 0.0% marginal, 0.0% shifted"
    )
    assert "flagged" not in second


@pytest.mark.slow
def test_doctor_tells_versions_folders_and_the_pair(tiny_pair: PairSpec, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["python"]["ok"]
    assert checks["engine"]["ok"]
    assert checks["aligned"]["ok"]
    assert set(found["bundled"]) == {"base", "aligned"}
    assert found["models"]["base"]["architecture"] == "LlamaForCausalLM"
    assert found["versions"]["torch"]
    assert found["engine"]["threads"] == 1
    assert found["engine"]["waiting"].endswith("=passive")
    assert found["engine"]["niceness"] == os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.slow
def test_doctor_says_what_to_do_about_a_pair_that_does_not_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--base", "/no/base", "--aligned", "/no/aligned"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  models: " in out
    assert "ok    engine: starts" in out


@pytest.mark.slow
def test_demo_shows_what_an_editor_would(
    tiny_pair: PairSpec, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = f"{tmp_path}/talk.txt"
    with open(talk, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("User: Why is the sky blue?\n\nAssistant: Great 😀 question!\n")
    code = main(["demo", talk, "--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"])
    out = capsys.readouterr().out
    assert code == 0
    assert "⟦" in out
    assert "Base rank" in out
    assert "% shifted" in out
    assert "make vsix" in out


def test_demo_says_the_last_words_of_a_server_that_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\necho first >&2\necho 'no such module' >&2\nexit 3\n", encoding="utf-8")
    server.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(server))
    assert main(["demo"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("shiftlens demo: The language server ended early. no such module Run `shiftlens doctor`")
    assert len(said.splitlines()) == 1


def in_parts(compat: str = "") -> Analysis:
    """Reasoning, shifted, and an answer, in the second conversation of a file."""
    parts = tuple(
        Part(kind, text, SourceMap.verbatim(at, len(text)))
        for kind, text, at in ((PartKind.REASONING, "hm", 40), (PartKind.TEXT, "yes", 20))
    )
    one = Response(0, (), Turn(Role.ASSISTANT, parts), conversation=1, turn_index=2, notes=("Read so.",))
    found = scored([b"hm", b"yes"], base_ranks=[9, 1, 1], decoded={10: "the", 11: "a"})
    built = build(one, of_parts(found, (0, 1)), ClassifyOptions(), compat=compat)
    return Analysis(
        transcript=Transcript("openai", "messages", (one,), conversations=((), (one.turn,))),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(compat=compat),
        classify_options=ClassifyOptions(),
        responses=(built,),
        summary=built.summary,
    )


def printed(analysis: Analysis) -> str:
    out = io.StringIO()
    print_analysis(painter(out, "never"), "talk.jsonl", analysis)
    return out.getvalue()


def test_parts_stand_under_their_names_in_the_order_in_which_they_were_written_and_have_shares_of_their_own() -> None:
    text = printed(in_parts())
    assert "[reasoning]\n⟦hm⟧\n[answer]\nyes\n" in text
    assert "  answer: 2 positions, 100.0% unshifted, 0.0% marginal, 0.0% shifted\n" in text
    assert "  reasoning: 1 position, 0.0% unshifted, 0.0% marginal, 100.0% shifted\n" in text
    assert "Response 1 (conversation 2, turn 3)" in text
    assert text.index("Note: Read so.") < text.index("Note: A note.")
    assert "AlignTDS" not in text


def test_kinds_of_tokens_have_shares_and_their_part_of_all_that_is_shifted() -> None:
    text = printed(in_parts())
    rest = "0.0% unshifted, 0.0% marginal, 100.0% shifted; 100.0% of all shifted\n"
    assert f"  kind reasoning: 1 position, {rest}" in text
    assert "  kind opener: 1 position, 100.0% unshifted, 0.0% marginal, 0.0% shifted; 0.0% of all shifted\n" in text


def test_the_loss_mask_of_the_file_is_told_with_the_shares_of_what_is_trained_on() -> None:
    one = in_parts()
    turn = dataclasses.replace(one.responses[0].response.turn, trained=Trained.NO)
    masked = dataclasses.replace(one.responses[0], response=dataclasses.replace(one.responses[0].response, turn=turn))
    text = printed(dataclasses.replace(one, responses=(masked, one.responses[0])))
    assert text.count("Training: the file says that this turn is not trained on.\n") == 1
    assert "Not trained on: 3 positions, 66.7% unshifted, 0.0% marginal, 33.3% shifted\n" in text
    assert "Trained on or not, the file does not say: 3 positions" in text
    assert "rained on" not in printed(one)


def test_shares_by_what_the_template_marks_for_training_are_told() -> None:
    one = in_parts()
    (found,) = one.responses
    mask = bytes([1, *[0] * (found.scored.rows - 1)])
    scores = dataclasses.replace(
        found.pair_scores, comparison=dataclasses.replace(found.pair_scores.comparison, loss_mask=mask)
    )
    masked = build(found.response, scores, ClassifyOptions())
    text = printed(dataclasses.replace(one, responses=(masked,)))
    assert "  loss mask counted: 1 position, 0.0% unshifted, 0.0% marginal, 100.0% shifted\n" in text
    assert f"  loss mask left out: {found.scored.rows - 1} positions, " in text
    assert "loss mask" not in printed(one)


def test_the_references_numbers_are_printed_with_compat() -> None:
    text = printed(in_parts("aligntds"))
    means = "KL@10 0.0000, Jaccard@10 1.0000, WS@10 0.5556, TR@10 0.0000, TP 0.6667, BTP 0.6667, nDCG 1.0000"
    assert f"AlignTDS, means of 3 positions: {means}\n" in text
    assert "position  token" not in text


def test_positions_that_the_reference_does_not_call_unshifted_have_a_line_each() -> None:
    entries = side(2, tops=[[10, 11], [10, 11]]), side(2, tops=[[10, 11], [11, 10]])
    found = scored([b"yes"], base=entries[0], aligned=entries[1], decoded={10: "the", 11: " a\x1b"})
    plain = Turn.of(Role.ASSISTANT, "yes", SourceMap.verbatim(0, 3))
    built = build(Response(0, (), plain), found, ClassifyOptions(), compat="aligntds")
    out = io.StringIO()
    print_reference(painter(out, "never"), built)
    _, head, line = out.getvalue().splitlines()
    assert head.split()[:5] == ["position", "token", "AlignTDS", "shows", "class"]
    assert line.split()[:5] == ["2", "(end)", "␣a\\x1b", "marginal", "0.2310"]

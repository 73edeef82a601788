"""Whatever tokens, prompts, names, models and notes hold: nothing of it steers a terminal or leaves its JSON string."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.contract import to_json
from shiftlens.analysis.model import Analysis
from shiftlens.cli.files import complain
from shiftlens.cli.paint import painter, print_analysis
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.transcripts.model import Transcript

ATTACKS = [
    *("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\b\b", "\u202e", "\u2028", "\x00", "\n", "%s"),
    "\x1b]8;;http://x\x07",
]
hostile = st.lists(st.sampled_from(ATTACKS) | st.text(max_size=5), max_size=6).map("".join)
OWN_STYLE = re.compile(r"\x1b\[[0-9;]*m")
STEERS = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def steering(shown: str) -> list[str]:
    """What in an output steers a terminal, but for our own colours, line feeds, tabs and joiners."""
    plain = OWN_STYLE.sub("", shown)
    return [c for c in plain if unicodedata.category(c) in STEERS and c not in "\n\t\u200c\u200d"]


def found_in(token: str, question: str, name: str, note: str) -> Analysis:
    said = token.encode("utf-8", "replace")
    one = dataclasses.replace(response(said.decode() + "y", question=question), notes=(note,))
    found = build(one, scored([said, b"y"], base_ranks=[9, 2, 1]), ClassifyOptions())
    return Analysis(
        transcript=Transcript("labels", name, (one,)),
        pair=PairSpec(base=name, aligned=name),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
        responses=(found,),
        summary=combine([found.summary]),
    )


@given(hostile, hostile, hostile, hostile, st.sampled_from(["always", "never"]))
def test_a_terminal_shows_hostile_text_and_does_nothing_that_it_says(
    token: str, question: str, name: str, note: str, color: str
) -> None:
    out = io.StringIO()
    print_analysis(painter(out, color), name, found_in(f"x{token}", question, name, note))
    assert steering(out.getvalue()) == []


@given(hostile, hostile)
def test_a_complaint_is_harmless_and_its_file_is_named_on_its_first_line(name: str, message: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", out := io.StringIO())
        complain(f"{name}|", message)
    assert steering(out.getvalue()) == []
    assert "|: " in out.getvalue().split("\n")[0]


@given(hostile, hostile, hostile, hostile)
def test_json_holds_hostile_text_in_strings_of_ascii(token: str, question: str, name: str, note: str) -> None:
    value = to_json(found_in(f"x{token}", question, name, note), name)
    written = json.dumps(value, allow_nan=False)
    assert written.isascii()
    assert "\n" not in written
    assert json.loads(written)["models"]["base"]["name"] == name
    assert json.loads(written)["file"] == name

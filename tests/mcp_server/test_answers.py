"""What agents are answered is data: JSON in which nothing acts."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.mcp_server.answers import json_text, sentences

UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


@given(st.text())
def test_a_text_comes_back_from_json_that_has_no_unseen_character(text: str) -> None:
    written = json_text({"text": text})
    assert json.loads(written) == {"text": text}
    assert {unicodedata.category(character) for character in written}.isdisjoint(UNSEEN)


def test_controls_overrides_and_rare_characters_are_escaped_and_letters_are_not() -> None:
    assert json_text('\x1b[31m\x7f\u202e"é漢\U000e0041') == (
        '"\\u001b[31m\\u007f\\u202e\\"é漢\\udb40\\udc41"'
    )  # fmt: skip


def test_sentences_are_cut_and_counted() -> None:
    assert sentences("notes", ()) == {}
    assert sentences("notes", ("a",)) == {"notes": ["a"]}
    found = sentences("notes", ("x" * 1000,) * 22)
    assert found["notes_left_out"] == 2
    notes = found["notes"]
    assert isinstance(notes, list)
    assert [len(note) for note in notes] == [500] * 20

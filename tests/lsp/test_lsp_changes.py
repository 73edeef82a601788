"""Changes by range, as clients send them, against plain replacement in the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from shiftlens.lsp.documents.changes import applied
from shiftlens.lsp.documents.open import position
from shiftlens.text.lines import LineIndex, Unit

_TEXT = st.text("ab é🙂\n\r\u2028\x0c\x85", max_size=30)
_UNITS: st.SearchStrategy[Unit] = st.sampled_from(["utf-8", "utf-16", "utf-32"])


def _change(text: str, start: int, end: int, typed: str, unit: Unit) -> types.TextDocumentContentChangePartial:
    lines = LineIndex(text)
    return types.TextDocumentContentChangePartial(
        types.Range(position(lines, start, unit), position(lines, end, unit)), typed
    )


def _on_position(text: str, at: int) -> int:
    """The protocol has no position between CR and LF."""
    at = min(at, len(text))
    return at - 1 if text[at - 1 : at + 1] == "\r\n" and at else at


@given(_TEXT, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), _TEXT), max_size=6), _UNITS)
def test_changes_in_any_order_give_the_text_that_replacing_gives(
    text: str, wishes: list[tuple[int, int, str]], unit: Unit
) -> None:
    changes, expected = [], [text]
    for first, second, typed in wishes:
        now = expected[-1]
        start, end = sorted((_on_position(now, first), _on_position(now, second)))
        changes.append(_change(now, start, end, typed, unit))
        expected.append(now[:start] + typed + now[end:])
    seen = list(applied(LineIndex(text), changes, unit))
    assert [after for _, after in seen] == expected[1:]
    for (edit, after), before in zip(seen, expected, strict=False):
        assert (edit.old_length, edit.new_length) == (len(before), len(after))
        assert before[: edit.prefix] == after[: edit.prefix]
        assert before[len(before) - edit.suffix :] == after[len(after) - edit.suffix :]


def test_a_line_feed_behind_a_carriage_return_moves_the_next_line() -> None:
    behind = types.TextDocumentContentChangePartial(types.Range(types.Position(1, 0), types.Position(1, 0)), "\n")
    both = types.TextDocumentContentChangePartial(types.Range(types.Position(0, 0), types.Position(1, 0)), "")
    assert [text for _, text in applied(LineIndex("\r"), [behind, both], "utf-16")] == ["\r\n", ""]


def test_a_place_behind_the_end_is_the_end_and_does_not_hide_the_lines_that_come_there() -> None:
    far = types.TextDocumentContentChangePartial(types.Range(types.Position(5, 0), types.Position(5, 0)), "\none\ntwo")
    at = types.TextDocumentContentChangePartial(types.Range(types.Position(1, 0), types.Position(1, 3)), "1")
    assert [text for _, text in applied(LineIndex("zero"), [far, at], "utf-16")] == ["zero\none\ntwo", "zero\n1\ntwo"]


def test_a_whole_new_text_is_taken_between_two_changes() -> None:
    whole = types.TextDocumentContentChangeWholeDocument("one\ntwo\n")
    at = types.Range(types.Position(1, 0), types.Position(1, 3))
    changes: list[types.TextDocumentContentChangeEvent] = [whole, types.TextDocumentContentChangePartial(at, "2")]
    assert [text for _, text in applied(LineIndex("old"), changes, "utf-16")] == ["one\ntwo\n", "one\n2\n"]


def test_a_range_from_behind_to_before_changes_nothing_but_the_place_where_it_starts() -> None:
    at = types.Range(types.Position(0, 3), types.Position(0, 1))
    change = types.TextDocumentContentChangePartial(at, "X")
    assert [text for _, text in applied(LineIndex("abcd"), [change], "utf-16")] == ["abcXd"]

"""Old offsets find their place in an edited text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.text.edits import Edit

_TEXT = st.text("ab\n🙂", max_size=20)


@given(_TEXT, _TEXT, _TEXT, _TEXT)
def test_what_the_edit_did_not_touch_reads_the_same_afterwards(head: str, old: str, new: str, tail: str) -> None:
    before, after = head + old + tail, head + new + tail
    edit = Edit.between(before, after)
    assert edit.prefix >= len(head) or edit.suffix >= len(tail)
    for start in range(len(before)):
        for end in range(start + 1, len(before) + 1):
            span = edit.span_to_new(start, end)
            if span is not None:
                assert after[slice(*span)] == before[start:end]
    for offset in range(len(after)):
        was = edit.offset_to_old(offset)
        if was is not None:
            assert before[was] == after[offset]


def test_the_same_text_is_no_edit() -> None:
    assert Edit.between("abc", "abc").is_nothing
    assert Edit.between("", "").is_nothing
    assert not Edit.between("abc", "abcd").is_nothing
    assert not Edit.between("abcd", "abc").is_nothing


def test_a_span_that_the_edit_cuts_has_no_place() -> None:
    edit = Edit.between("one two three", "one TWO three")
    assert edit.span_to_new(0, 4) == (0, 4)
    assert edit.span_to_new(4, 7) is None
    assert edit.span_to_new(3, 5) is None
    assert edit.span_to_new(7, 13) == (7, 13)
    assert edit.offset_to_old(5) is None

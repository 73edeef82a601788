"""Edits one after the other: what each left alone is found again, wherever the others were."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.text.edits import Edit
from shiftlens.text.trail import Edits, Trail

TEXT = "The quick brown fox jumps over the lazy dog."


def _chain(*texts: str) -> Edits:
    edits = Edits(len(texts[0]), len(texts[0]))
    for old, new in pairwise(texts):
        edits = edits.then(Edit.between(old, new))
    return edits


def _where(text: str, part: str) -> tuple[int, int]:
    return text.index(part), text.index(part) + len(part)


def test_what_stands_between_two_edits_is_found_again() -> None:
    first = TEXT.replace("quick", "quiiick")
    second = first.replace("lazy", "lzy")
    edits = _chain(TEXT, first, second)
    assert edits.span_to_new(*_where(TEXT, "brown fox")) == _where(second, "brown fox")
    assert edits.span_to_new(*_where(TEXT, "dog")) == _where(second, "dog")
    assert edits.span_to_new(*_where(TEXT, "quick")) is None
    assert edits.span_to_new(*_where(TEXT, "lazy")) is None


def test_edits_of_the_same_word_are_one_region() -> None:
    edits = _chain(TEXT, TEXT.replace("fox", "fooox"), TEXT.replace("fox", "fooooox"), TEXT.replace("fox", "f"))
    assert len(edits.hunks) == 1
    assert edits.region_start(TEXT.index("fox")) <= TEXT.index("fox") + 1


def test_an_offset_in_typed_text_was_nowhere_and_others_go_back() -> None:
    new = TEXT.replace("brown", "very brown").replace("dog", "big dog")
    edits = _chain(TEXT, TEXT.replace("brown", "very brown"), new)
    assert edits.offset_to_old(new.index("very") + 1) is None
    assert edits.offset_to_old(new.index("jumps")) == TEXT.index("jumps")
    assert edits.offset_to_old(new.index("dog") + 2) == TEXT.index("dog") + 2


_short = st.text(alphabet="ab", max_size=4)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), _short), max_size=12))
def test_what_no_edit_touched_is_found_in_the_new_text(changes: list[tuple[int, int, str]]) -> None:
    """Every character of the old text has a name of its own, so that it can be told where it went."""
    old = "".join(chr(0x4E00 + index) for index in range(30))
    texts = [old]
    for at, length, typed in changes:
        text = texts[-1]
        at = min(at, len(text))
        texts.append(text[:at] + typed + text[at + length :])
    edits, new = _chain(*texts), texts[-1]
    assert (edits.old_length, edits.new_length) == (len(old), len(new))
    for index, char in enumerate(old):
        span = edits.span_to_new(index, index + 1)
        assert span is None if char not in new else span is None or new[span[0] : span[1]] == char
        if span is not None:
            assert edits.offset_to_old(span[0]) == index
    for index, char in enumerate(new):
        was = edits.offset_to_old(index)
        assert was is None or old[was] == char
        # Only what was typed, and what it stands against, may be without a place.
        assert was is not None or char in "ab" or edits.span_to_new(old.index(char), old.index(char) + 1) is None
    assert all(one.new_end < two.new_start for one, two in pairwise(edits.hunks))


def test_a_trail_that_does_not_reach_back_far_enough_takes_the_two_texts_alone() -> None:
    trail = Trail(since=3)
    assert trail.between((1, TEXT), (4, TEXT + "!")) == Edits.between(TEXT, TEXT + "!")


def test_a_long_trail_lets_the_oldest_go() -> None:
    document = OpenDocument("file:///talk.txt", 0, "")
    for version in range(1, 1200):
        document.update(version, [types.TextDocumentContentChangeWholeDocument("x" * version)], "utf-16")
    assert document._trail.since > 0
    assert len(document._trail._steps) <= 1000

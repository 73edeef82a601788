"""Byte ends of tokens become spans of characters."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.text.source_map import Segment, SourceMap
from shiftlens.text.spans import gaps, token_spans

texts = st.text(st.sampled_from("ab\né中😀\u2028"), max_size=30)


def escaped(text: str, start: int, gap_every: int = 0) -> SourceMap:
    """The map of a text whose non-ASCII characters are written as escapes of 6, with gaps of 3 if asked for."""
    segments, at = [], start
    for i, character in enumerate(text):
        if gap_every and i % gap_every == 0:
            at += 3
        length = 1 if character.isascii() and character != "\n" else 6
        segments.append(Segment(i, 1, at, length))
        at += length
    return SourceMap(start, tuple(segments))


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[int]]:
    text = draw(texts)
    size = len(text.encode())
    inner = draw(st.lists(st.integers(0, size), max_size=20))
    return text, [*sorted(inner), size, size]


@given(cut_texts(), st.sampled_from([0, 7]))
def test_token_texts_join_to_the_response(cut: tuple[str, list[int]], start: int) -> None:
    text, ends = cut
    spans = token_spans(text, ends, SourceMap.verbatim(start, len(text)))
    begins = [0, *spans.text_ends[:-1]]
    assert "".join(text[a:b] for a, b in zip(begins, spans.text_ends, strict=True)) == text
    assert list(spans.starts) == [start + a for a in begins]
    assert list(spans.ends) == [start + b for b in spans.text_ends]


@given(cut_texts())
def test_a_character_belongs_to_the_token_with_its_first_byte(cut: tuple[str, list[int]]) -> None:
    text, ends = cut
    spans = token_spans(text, ends, SourceMap.verbatim(0, len(text)))
    first_bytes = [0, *accumulate(len(c.encode()) for c in text)][: len(text)]
    for row, end in enumerate(ends):
        assert spans.text_ends[row] == sum(first < end for first in first_bytes)
        assert spans.cuts[row] == (end < len(text.encode()) and end not in first_bytes)


@given(cut_texts(), st.sampled_from([0, 1, 4]))
def test_source_spans_are_those_of_the_escapes(cut: tuple[str, list[int]], gap_every: int) -> None:
    text, ends = cut
    source = escaped(text, 10, gap_every)
    spans = token_spans(text, ends, source)
    begin = 0
    for row, end in enumerate(spans.text_ends):
        if end > begin:
            assert (spans.starts[row], spans.ends[row]) == source.span(begin, end)
        else:
            assert spans.starts[row] == spans.ends[row]
        begin = end
    assert spans.ends[-1] == source.source_end


def test_the_later_parts_of_a_split_character_are_empty_spans_behind_it() -> None:
    spans = token_spans("a😀b", [1, 3, 4, 5, 6, 6], SourceMap.verbatim(50, 3))
    assert list(zip(spans.starts, spans.ends, strict=True)) == [
        (50, 51),
        (51, 52),
        (52, 52),
        (52, 52),
        (52, 53),
        (53, 53),
    ]
    assert spans.cuts == bytes([0, 1, 1, 0, 0, 0])


def test_an_empty_response_has_one_empty_row_where_it_would_stand() -> None:
    spans = token_spans("", [0], SourceMap.verbatim(9, 0))
    assert (list(spans.starts), list(spans.ends)) == ([9], [9])


def test_no_rows_have_no_spans() -> None:
    assert list(token_spans("ab", [], SourceMap.verbatim(0, 2)).starts) == []


@pytest.mark.parametrize("ends", [[2, 1], [4]])
def test_ends_that_descend_or_leave_the_text_are_refused(ends: list[int]) -> None:
    with pytest.raises(ValueError, match="a token ends at byte"):
        token_spans("abc", ends, SourceMap.verbatim(0, 3))


def test_gaps_are_where_the_file_has_something_between_characters() -> None:
    assert gaps(SourceMap(0, (Segment(0, 2, 0, 2), Segment(2, 1, 2, 6), Segment(3, 2, 11, 2)))) == [3]

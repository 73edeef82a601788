"""Spans of the text become the integers that editors decode to the same spans."""

from __future__ import annotations

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp.lsp_client import decode
from shiftlens.analysis.highlights import Highlight
from shiftlens.analysis.model import ShiftClass
from shiftlens.lsp.documents.paints import Paint, with_modifier
from shiftlens.lsp.views.semantic_tokens import LEGEND, edits_between, encode, paint

_TEXT = st.text("ab é🙂\n\r\u2028\x0c\x85", max_size=40)
_ENCODINGS = ("utf-8", "utf-16", "utf-32")


@st.composite
def painted_texts(draw: st.DrawFn) -> tuple[str, list[Paint]]:
    text = draw(_TEXT)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)))))
    paints = [Paint(start, end, draw(st.integers(0, 2)), draw(st.integers(0, 7))) for start, end in pairwise(cuts)]
    return text, [item for item in paints if draw(st.booleans())]


@given(painted_texts(), st.sampled_from(_ENCODINGS))
def test_tokens_decode_to_the_spans_they_were_made_from(painted: tuple[str, list[Paint]], encoding: str) -> None:
    text, paints = painted
    found = decode(text, encode(text, paints, encoding).tolist(), encoding)
    wanted = []
    for item in paints:
        pieces = text[item.start : item.end]
        # A break that is cut in two belongs to neither part.
        for piece in pieces.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
            if piece:
                wanted.append((piece, LEGEND.token_types[item.type_index]))
    assert [(piece, kind) for piece, kind, _ in found] == wanted


def test_a_token_that_holds_a_newline_is_split_at_it() -> None:
    data = encode("ab\r\ncd", [Paint(1, 5, 0, 0)], "utf-16")
    assert data.tolist() == [0, 1, 1, 0, 0, 1, 0, 1, 0, 0]


def test_a_token_of_newlines_alone_shows_nothing() -> None:
    assert encode("a\n\n\nb", [Paint(1, 4, 0, 0)], "utf-16").tolist() == []


@pytest.mark.parametrize(("encoding", "length"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_lengths_count_units_of_the_encoding(encoding: str, length: int) -> None:
    assert encode("🙂x", [Paint(0, 1, 0, 0), Paint(1, 2, 1, 0)], encoding).tolist() == [
        *(0, 0, length, 0, 0),
        *(0, length, 1, 1, 0),
    ]


def test_lines_do_not_break_at_u2028_or_form_feeds() -> None:
    assert encode("a\u2028b\x0cc", [Paint(4, 5, 0, 0)], "utf-16").tolist() == [0, 4, 1, 0, 0]


def test_an_empty_document_has_no_tokens() -> None:
    assert encode("", [], "utf-16").tolist() == []


def test_a_lone_surrogate_counts_as_one_unit() -> None:
    assert encode("\ud800b", [Paint(1, 2, 0, 0)], "utf-16").tolist() == [0, 1, 1, 0, 0]


def test_classes_and_flags_are_those_of_the_legend() -> None:
    item = paint(Highlight(0, 1, ShiftClass.SHIFTED, special=True, off_greedy=True))
    assert LEGEND.token_types[item.type_index] == "shifted"
    names = [name for bit, name in enumerate(LEGEND.token_modifiers) if item.modifiers >> bit & 1]
    assert names == ["special", "offGreedy"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=6), st.sets(st.integers(0, 5)))
def test_a_modifier_is_added_to_what_lies_wholly_within_a_span(
    gaps_and_lengths: list[tuple[int, int]], chosen: set[int]
) -> None:
    paints, at = [], 0
    for gap, length in gaps_and_lengths:
        paints.append(Paint(at + gap, at + gap + length, 0, 1))
        at += gap + length
    spans = [(item.start, item.end) for number, item in enumerate(paints) if number in chosen]
    found = with_modifier(paints, spans, 8)
    assert [item.modifiers for item in found] == [9 if number in chosen else 1 for number in range(len(paints))]
    assert [(item.start, item.end) for item in found] == [(item.start, item.end) for item in paints]


def test_what_is_only_partly_within_a_span_is_not_within_it() -> None:
    assert with_modifier([Paint(0, 4, 0, 0)], [(0, 3)], 8) == (Paint(0, 4, 0, 0),)
    assert with_modifier([Paint(2, 4, 0, 0)], [(0, 2), (2, 5)], 8) == (Paint(2, 4, 0, 8),)


_TOKEN = st.tuples(*[st.integers(0, 2)] * 5)


@given(st.lists(_TOKEN), st.lists(_TOKEN))
def test_edits_make_the_new_tokens_of_the_old(old: list[tuple[int, ...]], new: list[tuple[int, ...]]) -> None:
    before = array("I", [number for item in old for number in item])
    after = array("I", [number for item in new for number in item])
    result = before.tolist()
    for edit in edits_between(before, after):
        result[edit.start : edit.start + edit.delete_count] = edit.data or []
    assert result == after.tolist()

"""One position at a time."""

from __future__ import annotations

import dataclasses
import math

import pytest

from analysis.hand_made import BASE_END_ID, END_ID, base_of, floats, response, scored, side
from shiftlens.analysis.classify import build
from shiftlens.analysis.tokens import token, tokens
from shiftlens.options.pair import ClassifyOptions


def test_a_token_tells_both_sides_candidates() -> None:
    base = side(2, tops=[[10, 11]] * 2, ranks=[4, 1], end_id=BASE_END_ID)
    aligned = side(2, tops=[[11, 12]] * 2)
    one = token(build(response("a"), scored([b"a"], base=base, aligned=aligned), ClassifyOptions()), 0)
    assert (one.id, one.text, one.start, one.end, one.shift.label) == (100, "a", 100, 101, "shifted")
    assert (base_of(one).rank, base_of(one).id, one.aligned.id) == (4, 100, 100)
    assert [c.piece for c in base_of(one).top] == [b" the", b"\xf0\x9f"]
    assert base_of(one).top[0].prob == pytest.approx(0.5)
    assert base_of(one).missing_mass == pytest.approx(0.25)
    assert one.jaccard == pytest.approx(1 / 3)
    assert one.kl == 0.25


def test_a_side_tells_what_it_gives_the_other_s_candidates_where_that_is_known() -> None:
    base = side(2, tops=[[10, 11]] * 2, end_id=BASE_END_ID)
    scores = scored([b"a"], base=base, aligned=side(2, tops=[[11, 12, 13]] * 2))
    known = math.log(0.25), math.log(0.001), math.nan
    comparison = dataclasses.replace(scores.comparison, base_of_aligned_top=floats(known * 2))
    scores = dataclasses.replace(scores, comparison=comparison)
    one = token(build(response("a"), scores, ClassifyOptions()), 0)
    (other,) = base_of(one).other_top
    assert other.id == 12
    assert other.prob == pytest.approx(0.001)
    assert one.aligned.other_top == ()
    assert base_of(one).missing_mass == pytest.approx(0.25)


def test_each_side_scores_its_own_id_at_the_end() -> None:
    end = token(build(response("a"), scored([b"a"]), ClassifyOptions()), 1)
    assert end.is_end
    assert (end.text, end.start, end.end) == ("", 101, 101)
    assert (end.id, base_of(end).id, end.aligned.id) == (END_ID, BASE_END_ID, END_ID)


def test_the_last_of_the_first_rows_is_not_the_end() -> None:
    analysis = build(response("ab"), scored([b"a", b"b"], with_end=False), ClassifyOptions())
    assert [t.is_end for t in tokens(analysis)] == [False, False]


def test_the_parts_of_a_split_character_have_their_own_bytes_and_one_has_the_text() -> None:
    analysis = build(response("a😀"), scored([b"a", b"\xf0\x9f", b"\x98\x80"]), ClassifyOptions())
    assert [t.text for t in tokens(analysis)] == ["a", "😀", "", ""]
    assert [t.piece for t in tokens(analysis)][1:3] == [b"\xf0\x9f", b"\x98\x80"]


def test_jaccard_looks_at_the_first_ten_only() -> None:
    flat = [[math.log(0.01)] * 12] * 2
    base = side(2, tops=[list(range(12))] * 2, logprobs=flat)
    aligned = side(2, tops=[[*range(10), 50, 51]] * 2, logprobs=flat)
    analysis = build(response("a"), scored([b"a"], base=base, aligned=aligned), ClassifyOptions())
    assert token(analysis, 0).jaccard == 1


def test_there_is_no_row_past_the_end() -> None:
    analysis = build(response(""), scored([]), ClassifyOptions())
    assert token(analysis, 0).is_end
    with pytest.raises(IndexError):
        token(analysis, 1)

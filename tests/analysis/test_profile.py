"""Shares by tenth of a response, and the tokens that are shifted most often."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.profile import by_tenth, by_training, most_often_shifted
from shiftlens.options.pair import ClassifyOptions
from shiftlens.transcripts.model import Trained

from .hand_made import response, scored


def analysed(ranks: list[int]) -> ResponseAnalysis:
    """A response of one-letter tokens and its end, with these base ranks."""
    pieces = [b"x"] * (len(ranks) - 1)
    return build(response("x" * len(pieces)), scored(pieces, base_ranks=ranks), ClassifyOptions())


def test_the_first_tenth_has_the_shifts_of_the_first_positions() -> None:
    tenths = by_tenth(analysed([9, 9, *[1] * 17, 2]))
    assert tenths[0].shifted == 1
    assert [tenth.shifted for tenth in tenths[1:]] == [0] * 9
    assert tenths[9].marginal == 0.5


@given(st.lists(st.sampled_from([1, 2, 9]), min_size=1, max_size=60))
def test_every_position_is_in_one_tenth(ranks: list[int]) -> None:
    tenths = by_tenth(analysed(ranks))
    assert len(tenths) == 10
    assert sum(tenth.tokens for tenth in tenths) == len(ranks)
    assert sum(tenth.tokens * tenth.shifted for tenth in tenths) == pytest.approx(ranks.count(9))


def masked(ranks: list[int], trained: Trained) -> ResponseAnalysis:
    found = analysed(ranks)
    turn = dataclasses.replace(found.response.turn, trained=trained)
    return dataclasses.replace(found, response=dataclasses.replace(found.response, turn=turn))


def test_responses_are_counted_by_whether_they_are_trained_on_where_a_file_says_so() -> None:
    several = [masked([9, 1], Trained.NO), masked([1, 1, 1], Trained.YES), masked([9, 9], Trained.NO)]
    found = {trained: (of.tokens, of.shifted) for trained, of in by_training(several)}
    assert found == {Trained.YES: (3, 0), Trained.NO: (4, 3)}
    assert list(found) == [Trained.YES, Trained.NO]
    assert by_training([analysed([9, 1])]) == ()


def test_what_is_shifted_most_often_comes_first() -> None:
    pieces = [b"a", b"b", b"c", b"b"]
    # Of the same token: one id, as a tokenizer has it.
    one = build(response("abcb"), scored(pieces, base_ranks=[9, 9, 1, 9, 1]), ClassifyOptions())
    assert most_often_shifted([one, one], 2) == ((b"b", 4), (b"a", 2))

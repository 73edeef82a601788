"""Many responses together: by position, turn, file and pair, and tokens by shift ratio."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.corpus import EDGES, CorpusSummary, CorpusTally, counted
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.profile import by_tenth
from shiftlens.options.pair import ClassifyOptions, PairSpec

PAIR = PairSpec(base="b", aligned="a")


def analysed(ranks: list[int], *, turn: int = 1, kl: list[float] | None = None, text: str = "") -> ResponseAnalysis:
    """A response of one-letter tokens and its end, with these base ranks."""
    letters = text or "x" * (len(ranks) - 1)
    one = dataclasses.replace(response(letters), turn_index=turn)
    return build(one, scored([letter.encode() for letter in letters], base_ranks=ranks, kl=kl), ClassifyOptions())


def summed(responses: Iterable[tuple[str, PairSpec, ResponseAnalysis]]) -> CorpusSummary:
    """Responses together, each with the name of its file and its pair; without JS."""
    tally = CorpusTally()
    for file, pair, analysis in responses:
        tally.add(counted(file, pair, analysis))
    return tally.summary()


def together(*responses: ResponseAnalysis) -> CorpusSummary:
    return summed(("one", PAIR, each) for each in responses)


def test_turns_files_and_pairs_have_counts_of_their_own() -> None:
    other = PairSpec(base="b", aligned="c")
    found = summed(
        [
            ("two", PAIR, analysed([9, 1], turn=3)),
            ("one", PAIR, analysed([1, 1, 1], turn=1)),
            ("two", other, analysed([9, 9], turn=1)),
        ]
    )
    assert [(turn, of.tokens, of.shifted) for turn, of in found.by_turn] == [(1, 5, 2), (3, 2, 1)]
    assert [(file, of.tokens, of.shifted) for file, of in found.by_file] == [("two", 4, 3), ("one", 3, 0)]
    assert [(pair, of.tokens) for pair, of in found.by_pair] == [(("b", "a"), 5), (("b", "c"), 2)]
    assert (found.whole.tokens, found.whole.shifted) == (7, 3)
    assert sum(of.tokens for _, of in found.whole.by_kind) == 7


def test_absolute_positions_are_in_bins_that_double_and_end_with_the_longest_response() -> None:
    found = together(analysed([9, 9, 1, 1, 1, 2]), analysed([9, 1]))
    assert [(each.first, each.past, each.tokens, each.shifted) for each in found.by_position] == [
        *((0, 1, 2, 2), (1, 2, 2, 1), (2, 4, 2, 0), (4, 8, 2, 0))
    ]
    assert found.by_position[-1].marginal == 1


def test_the_last_bin_has_no_end() -> None:
    found = together(analysed([1] * (EDGES[-1] + 3)))
    assert (found.by_position[-1].first, found.by_position[-1].past, found.by_position[-1].tokens) == (4096, None, 3)


def test_the_curve_of_kl_is_the_mean_over_the_positions_that_have_one() -> None:
    found = together(
        analysed([1, 1], kl=[2.0, 0.5]), analysed([1, 1], kl=[4.0, math.nan]), analysed([1], kl=[math.nan])
    )
    first, second = found.by_position
    assert (first.tokens, first.with_kl, first.mean_kl) == (3, 2, 3.0)
    assert (second.tokens, second.with_kl, second.mean_kl) == (2, 1, 0.5)
    assert math.isnan(together(analysed([1], kl=[math.nan])).by_position[0].mean_kl)


def test_tokens_are_listed_by_how_often_they_are_shifted_then_by_how_large_a_part_that_is() -> None:
    pieces = [b"a", b"b", b"c", b"b", b"d"]
    one = build(response("abcbd"), scored(pieces, base_ranks=[9, 9, 9, 1, 1, 9]), ClassifyOptions())
    found = together(one)
    assert [(t.piece, t.said, t.shifted, t.ratio) for t in found.tokens] == [
        *((b"a", 1, 1, 1.0), (b"c", 1, 1, 1.0), (b"b", 2, 1, 0.5))
    ]


def test_a_position_without_a_class_is_no_part_of_a_tokens_shift_ratio() -> None:
    found = together(build(response("aab"), scored([b"a", b"a", b"b"], base_ranks=[9, 0, 0, 1]), ClassifyOptions()))
    assert [(t.piece, t.said, t.shifted, t.ratio) for t in found.tokens] == [(b"a", 1, 1, 1.0)]
    assert sum(each.tokens for each in found.by_tenth) == 2


def test_nothing_has_no_positions() -> None:
    found = together()
    assert (found.whole.tokens, found.by_position, found.tokens) == (0, (), ())
    assert [each.tokens for each in found.by_tenth] == [0] * 10


@given(st.lists(st.lists(st.sampled_from([1, 2, 9]), min_size=1, max_size=40), max_size=4))
def test_every_position_is_in_one_bin_of_each_sort(every: list[list[int]]) -> None:
    responses = [analysed(ranks) for ranks in every]
    found = together(*responses)
    for bins in (found.by_tenth, found.by_position):
        assert sum(each.tokens for each in bins) == sum(map(len, every))
        assert sum(each.shifted for each in bins) == sum(ranks.count(9) for ranks in every)
    assert found.whole == combine(each.summary for each in responses)
    for tenth, each in enumerate(found.by_tenth):
        shares = [by_tenth(one)[tenth] for one in responses]
        assert each.shifted == pytest.approx(sum(share.tokens * share.shifted for share in shares))

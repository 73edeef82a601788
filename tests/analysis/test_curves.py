"""Base ranks and distances of many responses."""

from __future__ import annotations

import math

import pytest

from analysis.hand_made import response, scored, two_vocabularies
from shiftlens.analysis.classify import build
from shiftlens.analysis.corpus import CorpusTally, counted
from shiftlens.analysis.curves import RankHistogram, RanksTally, distances
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.options.pair import ClassifyOptions, PairSpec


def of_ranks(ranks: list[int], kl: list[float] | None = None) -> ResponseAnalysis:
    letters = [b"x"] * (len(ranks) - 1)
    return build(response("x" * len(letters)), scored(letters, base_ranks=ranks, kl=kl), ClassifyOptions())


def ranks_of(*responses: ResponseAnalysis) -> RankHistogram:
    tally = RanksTally()
    for each in responses:
        tally.add(each)
    return tally.histogram()


def test_ranks_are_counted_by_classes_and_then_by_powers_of_ten() -> None:
    found = ranks_of(of_ranks([1, 1, 2, 3, 4, 10]), of_ranks([11, 100, 101, 10_000, 10_001, 30_000]))
    assert [(each.first, each.past, each.positions) for each in found.bins] == [
        *((1, 2, 2), (2, 4, 2), (4, 11, 2), (11, 101, 2), (101, 1_001, 1), (1_001, 10_001, 1)),
        (10_001, None, 2),
    ]
    assert found.inexact == 0


def test_ranks_that_are_not_known_exactly_are_counted_apart() -> None:
    found = ranks_of(of_ranks([0, -20, 1]))
    assert found.inexact == 2
    assert sum(each.positions for each in found.bins) == 1


def test_means_are_over_the_positions_that_have_a_value() -> None:
    tally = CorpusTally()
    for each in (of_ranks([1, 1, 1], [2.0, 1.0, 4.0]), of_ranks([1, 1], [4.0, math.nan])):
        found = distances(each)
        columns = ([one.js_at_least for one in found], [one.logprob_difference for one in found])
        tally.add(counted("one", PairSpec(base="b", aligned="a"), each, *columns))
    bins = tally.summary().by_position
    assert [(each.first, each.past, each.mean_kl) for each in bins] == [(0, 1, 3.0), (1, 2, 1.0), (2, 4, 4.0)]
    assert bins[0].mean_js == pytest.approx(0, abs=1e-9)
    assert [(each.with_difference, each.mean_difference) for each in bins] == [(2, 0.0), (2, 0.0), (1, 0.0)]


def test_two_vocabularies_have_neither_divergence() -> None:
    found = distances(build(response("abc"), two_vocabularies(), ClassifyOptions()))
    assert all(math.isnan(each.kl) and math.isnan(each.js_at_least) for each in found)
    assert [math.isnan(each.logprob_difference) for each in found] == [False, True, True, False]

"""From ranks to classes and counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from analysis.hand_made import response, scored
from shiftlens.analysis.classify import build, combine, shares, shares_without_flagged, summarise
from shiftlens.analysis.model import ShiftClass, Summary
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.records import ScoredResponse

U, M, S, _ = ShiftClass


def classes(scores: ScoredResponse, **options: Any) -> list[ShiftClass]:
    text = "abcd"
    return [ShiftClass(each) for each in build(response(text), scores, ClassifyOptions(**options)).classes]


def test_the_class_follows_the_base_rank_of_the_response_token() -> None:
    scores = scored([b"a", b"b", b"c", b"d"], base_ranks=[1, 2, 3, 4, 1])
    assert classes(scores) == [U, M, M, S, U]


def test_the_class_may_follow_the_aligned_models_first_choice_instead() -> None:
    scores = scored([b"a", b"b", b"c", b"d"], base_ranks=[9] * 5, ranks_of_aligned_top=[1, 2, 4, 3, 100])
    assert classes(scores, classify_by="aligned-top1") == [U, M, S, M, S]


def test_thresholds_move_the_borders() -> None:
    scores = scored([b"a", b"b", b"c", b"d"], base_ranks=[2, 3, 6, 7, 1])
    assert classes(scores, thresholds=(2, 6)) == [U, M, M, S, U]


def test_off_greedy_says_that_the_aligned_model_would_have_put_another_token() -> None:
    scores = scored([b"a", b"b"], aligned_ranks=[1, 2, 1])
    assert list(build(response("ab"), scores, ClassifyOptions()).off_greedy) == [0, 1, 0]


def test_a_summary_counts_the_end_and_tells_the_flagged_apart() -> None:
    scores = scored([b"a", b"b", b"c"], base_ranks=[9, 1, 2, 5], boundary=[0])
    found = build(response("abc"), scores, ClassifyOptions()).summary
    counts = Summary(tokens=4, unshifted=1, marginal=1, shifted=2, flagged=1, flagged_shifted=1)
    assert found == dataclasses.replace(counts, by_part=(("answer", counts),), by_kind=found.by_kind)
    assert shares(found).shifted == 0.5
    assert shares_without_flagged(found).tokens == 3
    assert shares_without_flagged(found).shifted == pytest.approx(1 / 3)


def test_summaries_add_up() -> None:
    one = summarise(bytes([U, S]), bytes([0, 1]))
    assert combine([one, one, one]) == Summary(6, 3, 0, 3, 3, 0, 0, 3)
    assert combine([]) == Summary(0, 0, 0, 0)
    assert shares(combine([])).shifted == 0


def test_the_first_rows_alone_can_be_classified() -> None:
    scores = scored([b"a", b"b"], base_ranks=[4, 1], with_end=False, aligned_ranks=[1, 1])
    analysis = build(response("abcd"), scores, ClassifyOptions())
    assert list(zip(analysis.starts, analysis.ends, strict=True)) == [(100, 101), (101, 102)]


def test_the_reference_classifies_by_where_the_aligned_string_stands_in_the_base_list() -> None:
    from analysis.hand_made import side

    decoded = {1: "the", 2: "a", 3: "Hi", 4: "the", 5: "x", 6: "y"}
    tops = [[1, 2, 3], [1, 2, 3], [2, 5, 3], [1, 2, 3]]
    wants = [[1, 5, 6], [4, 5, 6], [3, 5, 6], [6, 5, 4]]
    scores = scored(
        [b"a", b"b", b"c"], base=side(4, tops=tops), aligned=side(4, tops=wants), decoded=decoded, base_ranks=None
    )
    analysis = build(response("abc"), scores, ClassifyOptions(), compat="aligntds")
    assert list(analysis.classes) == [U, U, M, S]

"""Several tuned models of one base: which of them was the first to move a position."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import BASE_END_ID, END_ID, scored, side, two_vocabularies
from analysis.staged import NUMBERS, Numbers, analysed, models, pair
from shiftlens.analysis.stages import (
    StagesRow,
    UnlikeStagesError,
    first_moved,
    stages_rows,
    summarise_stages,
)
from shiftlens.scores.columns import Above


def rows(base: Numbers, *stages: Numbers, min_change: float = 0.1) -> tuple[StagesRow, ...]:
    return stages_rows([pair(base, stage) for stage in stages], min_change)


END: tuple[int, float] = (10, 0.5)


def test_another_first_choice_moves_a_position_whatever_the_probability() -> None:
    (row, _) = rows([(10, 0.4), END], [(10, 0.4), END], [(11, 0.4), END])
    assert [stage.moved for stage in row.stages] == [False, True]
    assert row.first == 1


def test_a_probability_that_differs_by_more_than_the_threshold_moves_a_position() -> None:
    base, stages = [(10, 0.4), END], ([(10, 0.45), END], [(10, 0.55), END], [(10, 0.2), END])
    assert [stage.moved for stage in rows(base, *stages)[0].stages] == [False, True, True]
    assert [stage.moved for stage in rows(base, *stages, min_change=0.5)[0].stages] == [False, False, False]


def test_what_drifts_in_small_steps_is_moved_by_the_stage_that_is_far_from_the_base() -> None:
    (row, _) = rows([(10, 0.1), END], [(10, 0.18), END], [(10, 0.26), END], [(10, 0.34), END])
    assert row.first == 1


def test_each_models_own_end_of_the_response_is_one_choice() -> None:
    ended = rows([(BASE_END_ID, 0.5), END], [(END_ID, 0.5), END], [(10, 0.5), END])
    assert [stage.moved for stage in ended[0].stages] == [False, True]
    assert ended[0].base.ends
    assert [row.is_end for row in ended] == [False, True]


def test_a_row_has_rank_probability_and_choice_under_each_model() -> None:
    base, aligned = side(2, ranks=[7, 1], end_id=BASE_END_ID), side(2, ranks=[-20, 1])
    (row, _) = stages_rows([analysed(scored([b"a"], base=base, aligned=aligned), "a")])
    assert row.base.rank == 7
    assert row.base.prob == pytest.approx(math.exp(-0.5))
    assert row.stages[0].given.rank == Above(20)
    assert row.stages[0].given.choice is not None
    assert row.stages[0].given.choice.piece == b" the"
    assert row.stages[0].shift.label == "shifted"
    assert (row.piece, row.start, row.end) == (b"a", 100, 101)


def test_a_position_of_another_base_vocabulary_is_unknown_where_it_is_no_one_token_of_the_base() -> None:
    found = stages_rows([analysed(two_vocabularies(), "abc")] * 2)
    assert [row.is_known for row in found] == [True, False, False, True]
    assert [row.first for row in found[1:3]] == [None, None]
    assert math.isnan(found[1].base.prob)
    summary = summarise_stages(found, 2)
    assert summary.unknown == 2


def test_stages_of_other_tokens_are_refused() -> None:
    first, other = analysed(scored([b"ab", b"c"]), "abc"), analysed(scored([b"a", b"bc"]), "abc")
    with pytest.raises(UnlikeStagesError, match="other tokens") as error:
        stages_rows([first, first, other])
    assert error.value.stage == 2


def test_tokens_of_one_number_but_other_bytes_are_other_tokens() -> None:
    first, second = scored([b"a"]), scored([b"a"])
    renamed = dataclasses.replace(second.aligned, pieces={**second.aligned.pieces, 100: b"b"})
    with pytest.raises(UnlikeStagesError, match="other tokens"):
        stages_rows([analysed(first, "a"), analysed(dataclasses.replace(second, aligned=renamed), "a")])


def test_a_base_model_that_was_given_another_prefix_is_not_the_same_base() -> None:
    first, second = scored([b"a"]), scored([b"a"])
    elsewhere = dataclasses.replace(second.base, prefix_ids=(9,))
    with pytest.raises(UnlikeStagesError, match="base context") as error:
        stages_rows([analysed(first, "a"), analysed(dataclasses.replace(second, base=elsewhere), "a")])
    assert error.value.stage == 1


def test_no_analyses_are_an_error() -> None:
    with pytest.raises(ValueError, match="no analyses"):
        stages_rows([])


@given(models(), st.floats(0, 1))
def test_every_position_is_counted_once(every: list[list[tuple[int, float]]], min_change: float) -> None:
    base, *stages = every
    found = rows(base, *stages, min_change=min_change)
    summary = summarise_stages(found, len(stages))
    assert summary.positions == len(base)
    assert sum(summary.moved_by) + summary.unmoved + summary.unknown == summary.positions
    assert summary.unknown == 0
    assert sum(summary.shares) == pytest.approx(sum(summary.moved_by) / summary.positions)


@given(models(), st.floats(0, 1))
def test_a_later_stage_changes_nothing_that_is_said_of_earlier_ones(
    every: list[list[tuple[int, float]]], min_change: float
) -> None:
    base, *stages = every
    whole, earlier = rows(base, *stages, min_change=min_change), rows(base, *stages[:1], min_change=min_change)
    for row, before in zip(whole, earlier, strict=True):
        assert row.stages[:1] == before.stages
        assert (row.first == 0) == (before.first == 0)


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.integers(1, 3), st.floats(0, 1))
def test_models_that_are_the_base_move_nothing(base: list[tuple[int, float]], stages: int, min_change: float) -> None:
    found = rows(base, *[base] * stages, min_change=min_change)
    assert summarise_stages(found, stages).unmoved == len(base)


@given(models(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_moves_no_more(every: list[list[tuple[int, float]]], one: float, other: float) -> None:
    base, *stages = every
    low, high = sorted((one, other))
    for loose, strict in zip(rows(base, *stages, min_change=low), rows(base, *stages, min_change=high), strict=True):
        for stage, stricter in zip(loose.stages, strict.stages, strict=True):
            assert stage.moved or not stricter.moved


@given(st.lists(st.sampled_from([True, False, None]), max_size=5))
def test_the_first_stage_is_told_only_where_all_before_it_are_known(moved: list[bool | None]) -> None:
    number, is_known = first_moved(moved)
    if number is not None:
        assert is_known
        assert moved[: number + 1] == [False] * number + [True]
    elif is_known:
        assert set(moved) <= {False}
    else:
        assert None in moved
        assert True not in moved[: moved.index(None)]

"""One position under several stages, beside the pair that is shown."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import scored, two_vocabularies
from analysis.staged import Numbers, models, pair
from shiftlens.analysis.stages import stages_rows
from shiftlens.analysis.stages_at import NOT_YET, StageScores, compared, stages_at
from shiftlens.scores.records import ScoredResponse

END: tuple[int, float] = (10, 0.5)
BASE: Numbers = [(10, 0.4), END]
MOVED: Numbers = [(11, 0.4), END]


def of(base: Numbers, stage: Numbers) -> ScoredResponse:
    return pair(base, stage).pair_scores


@given(models(), st.floats(0, 1))
def test_each_position_has_what_the_rows_of_the_response_have(
    every: list[list[tuple[int, float]]], min_change: float
) -> None:
    base, *tuned = every
    analyses = [pair(base, each) for each in tuned]
    scores = [compared(analyses[0].pair_scores, "m", each.pair_scores) for each in analyses]
    for row in stages_rows(analyses, min_change):
        found = stages_at(analyses[0].pair_scores, scores, row.index, min_change)
        assert [stage.given for stage in found.stages] == [stage.given for stage in row.stages]
        assert [stage.moved for stage in found.stages] == [stage.moved for stage in row.stages]
        assert (found.first, found.is_known) == (row.first, row.is_known)


def test_a_stage_without_scores_leaves_open_what_comes_after_it() -> None:
    shown, moved = of(BASE, BASE), StageScores("dpo", of(BASE, MOVED))
    found = stages_at(shown, [StageScores("sft"), moved], 0)
    assert [(stage.given is None, stage.moved, stage.why_not) for stage in found.stages] == [
        (True, None, NOT_YET),
        (False, True, ""),
    ]
    assert (found.first, found.is_known) == (None, False)
    assert found.sentence() == "Which stage was the first to move it can't be told, since it can't be of stage 1."


def test_what_a_stage_moved_is_known_whatever_is_of_those_after_it() -> None:
    shown = of(BASE, BASE)
    found = stages_at(shown, [StageScores("sft", of(BASE, MOVED)), StageScores("dpo", None, "It can't be loaded.")], 0)
    assert found.sentence() == "First moved by stage 1."
    assert found.stages[1].why_not == "It can't be loaded."


def test_a_position_that_no_stage_moved_says_so() -> None:
    shown = of(BASE, MOVED)
    assert stages_at(shown, [StageScores("sft", of(BASE, BASE))], 0).sentence() == "Moved by no stage."


def test_a_position_that_is_no_one_token_of_the_base_is_unknown() -> None:
    shown = two_vocabularies()
    stage = compared(shown, "sft", two_vocabularies())
    assert [stages_at(shown, [stage], row).is_known for row in range(shown.rows)] == [True, False, False, True]


@pytest.mark.parametrize("other", [scored([b"a", b"bc"]), scored([b"ab"])])
def test_a_stage_of_other_tokens_says_so_and_shows_no_number(other: ScoredResponse) -> None:
    stage = compared(scored([b"ab", b"c"]), "sft", other)
    assert stage.compared is None
    assert "into other tokens than the aligned model's does" in stage.why_not
    found = stages_at(scored([b"ab", b"c"]), [stage], 0)
    assert found.stages[0].given is None


def test_a_stage_beside_which_the_base_model_read_another_text_does_not_compare() -> None:
    own = scored([b"a"])
    elsewhere = dataclasses.replace(own, base=dataclasses.replace(own.base, prefix_ids=(9,)))
    assert "another text before the response than beside the aligned model" in compared(own, "sft", elsewhere).why_not


def test_what_is_noted_of_a_stage_alone_is_told_with_it() -> None:
    shown = of(BASE, BASE)
    other = dataclasses.replace(shown, comparison=dataclasses.replace(shown.comparison, notes=("A note.", "Another.")))
    found = stages_at(shown, [StageScores("sft", shown), StageScores("dpo", other)], 0)
    assert [stage.notes for stage in found.stages] == [(), ("Another.",)]

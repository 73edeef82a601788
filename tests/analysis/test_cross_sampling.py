"""The numbers of cross-sampling: where a continuation parts from the response, how far, which positions are swapped."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analysis.hand_made import BASE_END_ID, END_ID, response, scored, side, two_vocabularies, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.cross_sampling import ARMS, ArmResult, CrossSampled, Sample, most_shifted, swap_position
from shiftlens.analysis.cross_sampling_contract import SCHEMA, schema, to_json
from shiftlens.analysis.json_values import error_json
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.parting import END, Parting, common_bigrams, distance, edit_distance, parting, spread
from shiftlens.errors import ModelError
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.continuations import Sampling
from shiftlens.scores.records import ScoredResponse

TOKENS = st.lists(st.sampled_from([b"a", b"b", b"c", END]), max_size=9)


def analysis_of(scores: ScoredResponse, text: str) -> Analysis:
    return whole(build(response(text), scores, ClassifyOptions()))


def three_shifted() -> Analysis:
    """Of "abcd": b, c and the end are shifted, d is the base's own choice though another's rank is asked for."""
    base = side(
        5, ranks=[1, 5, 90, 1, 9], tops=[[100, 10], [10, 101], [11, 10], [103, 10], [10, 11]], end_id=BASE_END_ID
    )
    return analysis_of(scored([b"a", b"b", b"c", b"d"], base=base), "abcd")


def plain_distance(first: list[bytes], second: list[bytes]) -> int:
    """Levenshtein's, as it is defined."""
    if not first or not second:
        return len(first) + len(second)
    return min(
        plain_distance(first[1:], second) + 1,
        plain_distance(first, second[1:]) + 1,
        plain_distance(first[1:], second[1:]) + (first[0] != second[0]),
    )


@given(st.lists(st.sampled_from([b"a", b"b"]), max_size=5), st.lists(st.sampled_from([b"a", b"b"]), max_size=5))
def test_the_edit_distance_is_levenshteins_over_the_longer_length(first: list[bytes], second: list[bytes]) -> None:
    longest = max(len(first), len(second), 1)
    assert edit_distance(first, second) == plain_distance(first, second) / longest


@given(TOKENS, TOKENS)
def test_distances_are_between_0_and_1_and_the_same_both_ways(
    first: list[bytes | None], second: list[bytes | None]
) -> None:
    assert 0 <= edit_distance(first, second) <= 1
    assert edit_distance(first, second) == edit_distance(second, first)
    assert (edit_distance(first, second) == 0) == (first == second)
    bigrams = common_bigrams(first, second)
    assert math.isnan(bigrams) == (len(first) < 2 and len(second) < 2)
    assert math.isnan(bigrams) or (0 <= bigrams <= 1 and bigrams == common_bigrams(second, first))


def test_common_bigrams_count_each_as_often_as_both_have_it() -> None:
    assert common_bigrams([b"a", b"b", b"a", b"b"], [b"a", b"b", b"c"]) == 2 * 1 / (3 + 2)
    assert common_bigrams([b"a", b"b"], [b"b", b"a"]) == 0
    assert common_bigrams([b"a", b"b"], [b"a", b"b"]) == 1


def test_where_a_continuation_parts_is_told_in_tokens_and_in_characters() -> None:
    found = parting([b" the", b" sky", b" is"], [b" the", b" skin", b" is"], said_ends=False, end="length", window=3)
    assert (found.same_tokens, found.same_characters, found.parts) == (1, 7, True)
    assert found.edit_distance == 1 / 3
    same = parting([b"\xf0\x9f", b"\x99\x82"], [b"\xf0\x9f", b"\x99\x82"], said_ends=True, end="end", window=9)
    assert (same.same_tokens, same.same_characters, same.parts) == (3, 1, False)


def test_an_end_counts_as_a_token() -> None:
    stops = parting([b"a", b"b"], [b"a", b"b"], said_ends=False, end="end", window=3)
    assert (stops.same_tokens, stops.edit_distance) == (2, 1 / 3)
    empty = parting([b"a", b"b"], [], said_ends=True, end="end", window=3)
    assert empty.edit_distance == 2 / 3
    assert not parting([], [], said_ends=True, end="end", window=3).parts


def test_what_is_beyond_the_window_is_not_compared() -> None:
    assert not parting([b"a", b"b", b"c"], [b"a", b"b"], said_ends=True, end="length", window=2).parts
    cut = parting([b"a", b"b", b"c"], [b"a"], said_ends=True, end="room", window=9)
    assert (cut.parts, cut.window) == (False, 1)


def test_a_spread_is_of_those_that_are_numbers() -> None:
    found = spread([0.5, math.nan, 1.0])
    assert (found.mean, found.least, found.most, found.count) == (0.75, 0.5, 1.0, 2)
    assert spread([math.nan]).count == 0


def test_the_most_shifted_positions_are_those_with_the_greatest_base_ranks() -> None:
    analysis = three_shifted()
    assert [position.row for position in most_shifted(analysis, 2)] == [2, 4]
    assert [position.row for position in most_shifted(analysis, 9)] == [2, 4, 1]


def test_a_position_has_the_choices_of_both_models_and_who_would_have_ended_there() -> None:
    tops = [[BASE_END_ID, 10], [10, 11]]
    base = side(2, ranks=[7, 1], tops=tops, end_id=BASE_END_ID)
    analysis = analysis_of(scored([b"a"], base=base, aligned=side(2, tops=[[10, 11], [END_ID, 10]])), "a")
    first = swap_position(analysis.responses[0], 0)
    last = swap_position(analysis.responses[0], 1)
    assert first is not None
    assert last is not None
    assert (first.base.ends, first.said.ends, first.aligned.piece, first.is_swap) == (True, False, b" the", True)
    assert (last.base.ends, last.said.ends, last.aligned.ends, last.is_swap) == (False, True, True, True)


def test_a_line_break_that_may_be_the_first_of_a_fence_does_not_end_a_response() -> None:
    base = side(2, ranks=[7, 1], tops=[[77, 10], [77, 10]], end_id=77)
    base.pieces[77] = b"\n"
    found = swap_position(analysis_of(scored([b"a"], base=base), "a").responses[0], 0)
    assert found is not None
    assert (found.base.piece, found.base.ends) == (b"\n", False)


def test_within_a_group_of_two_vocabularies_there_is_no_choice_to_swap() -> None:
    analysis = analysis_of(two_vocabularies(), "abc")
    assert swap_position(analysis.responses[0], 1) is not None
    assert swap_position(analysis.responses[0], 2) is None


def sample(far: float, seed: int | None) -> Sample:
    return Sample(seed, (b"\xf0\x9f",), "length", Parting(1, 0, True, far, math.nan, 4))


def crossed(analysis: Analysis) -> CrossSampled:
    position = swap_position(analysis.responses[0], 2)
    assert position is not None
    far = {"swapped": 0.75, "kept": 0.25, "reverse": 0.5, "base": 1.0}
    arms = [ArmResult(arm, (sample(0.0, None), sample(far[arm.name], 3), sample(far[arm.name], 4))) for arm in ARMS]
    return CrossSampled(position, (b"c", b"d"), tuple(arms), ("A note.",))


def test_the_effect_is_what_the_swap_changed_beyond_what_chance_did() -> None:
    found = crossed(three_shifted())
    assert found.effect == 0.5
    swapped = found.arm("swapped")
    assert swapped is not None
    assert swapped.spread(distance).count == 2, "the greedy one is not drawn"
    alone = ArmResult(ARMS[0], (sample(0.5, None),))
    assert alone.spread(distance).mean == 0.5


def test_the_json_is_as_its_schema_says() -> None:
    analysis = three_shifted()
    found = crossed(analysis)
    value = to_json(
        analysis, "a.txt", [found], samples=2, seed=3, sampling=Sampling(), not_sampled=[(found.position, "No.")]
    )
    read: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    Draft202012Validator(schema()).validate(read)
    Draft202012Validator(schema()).validate(error_json(SCHEMA, "a.txt", ModelError("No.")))
    (position,) = read["positions"]
    assert (position["text"], position["effect"], position["base"]["rank"]) == ("c", 0.5, 90)
    assert position["base"]["choice"]["bytes"] == "f09f"
    assert [arm["arm"] for arm in position["arms"]] == ["swapped", "kept", "reverse", "base"]
    assert position["arms"][0]["continuations"][1]["common_bigrams"] is None


@pytest.mark.parametrize("index", range(4))
def test_each_arm_says_which_model_goes_on_behind_whose_token(index: int) -> None:
    arm = ARMS[index]
    said = {"swapped": ("aligned", "base"), "kept": ("aligned", "response")}
    said |= {"reverse": ("base", "aligned"), "base": ("base", "base")}
    assert (arm.model, arm.behind) == said[arm.name]

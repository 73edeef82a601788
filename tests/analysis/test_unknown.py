"""What is not known of a rank is said so: a value of its own, and no class where it does not decide one."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import base_of, response, scored, whole
from analysis.test_contract import as_json
from shiftlens.analysis.classify import build, combine, shares
from shiftlens.analysis.contract import summary_json
from shiftlens.analysis.highlights import highlights
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass, Summary, worst_class
from shiftlens.analysis.ranks import class_of, rank_words, worst_rank
from shiftlens.analysis.tokens import token
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.columns import Above, rank_of

U, M, S, NONE = ShiftClass
PAPER = (1, 3)
RANKS = [0, -20, -2, 1, 1]


def analysis() -> ResponseAnalysis:
    """Of "abcd": ranks that are unknown, above 20, above 2 and 1; the end is the first choice."""
    return build(response("abcd"), scored([b"a", b"b", b"c", b"d"], base_ranks=RANKS), ClassifyOptions())


@pytest.mark.parametrize(
    ("value", "expected"), [(1, U), (2, M), (3, M), (4, S), (-3, S), (-20, S), (-2, NONE), (-1, NONE), (0, NONE)]
)
def test_a_rank_above_a_bound_has_a_class_where_the_bound_decides_it(value: int, expected: ShiftClass) -> None:
    assert class_of(value, PAPER) is expected


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 20))
def test_a_class_told_of_bounds_is_that_of_the_ranks_themselves(ranks: list[int], k: int) -> None:
    known = [rank if rank <= k else -k for rank in ranks]
    told = class_of(worst_rank(known), PAPER)
    assert told in (NONE, class_of(max(ranks), PAPER))


@given(st.lists(st.integers(-50, 50), min_size=1))
def test_the_worst_of_several_ranks_is_no_better_than_any_of_them(values: list[int]) -> None:
    worst = rank_of(worst_rank(values))
    if 0 in values:
        assert worst is None
        return
    least = worst.rank + 1 if isinstance(worst, Above) else worst
    assert least is not None
    assert least >= max(value if value > 0 else 1 - value for value in values)


def test_a_rank_is_said_in_words() -> None:
    assert [rank_words(rank_of(value)) for value in (1234, -20, 0)] == ["1,234", "above 20", "unknown"]


def test_a_character_of_several_tokens_is_shifted_where_one_is_and_unknown_where_one_may_be() -> None:
    assert worst_class([U, NONE, S]) is S
    assert worst_class([U, NONE, M]) is NONE
    assert worst_class([U, M]) is M


def test_positions_without_a_class_are_counted_by_themselves_and_have_no_part_in_the_shares() -> None:
    summary = analysis().summary
    assert (summary.tokens, summary.unshifted, summary.shifted, summary.unknown) == (5, 2, 1, 2)
    assert shares(summary).shifted == pytest.approx(1 / 3)
    assert combine([summary, summary]).unknown == 4


def test_a_position_without_a_class_is_a_highlight_of_none() -> None:
    assert [item.shift for item in highlights(analysis())] == [NONE, S, NONE, U]


def test_json_has_null_for_what_is_not_known_and_the_bound_where_there_is_one() -> None:
    tokens = as_json("abcd", scored([b"a", b"b", b"c", b"d"], base_ranks=RANKS))["responses"][0]["tokens"]
    assert [item["class"] for item in tokens] == [None, "shifted", None, "unshifted", "unshifted"]
    assert [item["base"]["rank"] for item in tokens] == [None, None, None, 1, 1]
    assert [item["base"].get("rank_above") for item in tokens] == [None, 20, 2, None, None]


def test_an_unknown_aligned_rank_does_not_count_as_off_greedy() -> None:
    found = build(response("ab"), scored([b"a", b"b"], aligned_ranks=[0, -5, 1]), ClassifyOptions())
    assert [token(found, row).off_greedy for row in range(3)] == [False, True, False]


def test_without_kl_and_entropy_there_is_no_number() -> None:
    scores = scored([b"a"])
    comparison = dataclasses.replace(scores.comparison, kl=b"")
    base = dataclasses.replace(scores.base, entropy=b"")
    found = build(response("a"), dataclasses.replace(scores, base=base, comparison=comparison), ClassifyOptions())
    item = token(found, 0)
    assert math.isnan(item.kl)
    assert math.isnan(base_of(item).entropy)
    assert whole(found).summary.tokens == 2


def test_the_json_gives_no_share_where_no_position_has_a_class() -> None:
    nothing = summary_json(Summary(3, 0, 0, 0, unknown=3))
    for name in ("shares", "shares_without_flagged"):
        assert nothing[name] == {"tokens": 0, "unshifted": None, "marginal": None, "shifted": None}
    assert summary_json(Summary(4, 1, 1, 2))["shares"] == {
        "tokens": 4,
        "unshifted": 0.25,
        "marginal": 0.25,
        "shifted": 0.5,
    }

"""Ranks and candidates from what a server lists of a position, in whatever order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.backends.positions import BadAnswer, position, position_of_texts
from shiftlens.scores.columns import UNKNOWN_RANK

# Steps of a 16th, as half precision has them, so that there are ties.
DISTRIBUTIONS = st.lists(st.integers(-128, -64), min_size=12, max_size=30).map(lambda steps: [s / 16 for s in steps])


@given(logprobs=DISTRIBUTIONS, k=st.integers(1, 10), data=st.data())
def test_a_rank_is_one_more_than_the_tokens_that_are_more_likely_whatever_the_order(
    logprobs: list[float], k: int, data: st.DataObject
) -> None:
    own = data.draw(st.integers(0, len(logprobs) - 1))
    ties = data.draw(st.permutations(range(len(logprobs))))
    best = sorted(ties, key=lambda token: -logprobs[token])[:k]
    listed = data.draw(st.permutations([*dict.fromkeys([own, *best])]))
    found = position(own, None, {token: logprobs[token] for token in listed}, k)
    rank = 1 + sum(value > logprobs[own] for value in logprobs)
    assert found.rank == (rank if rank <= k else -k)
    assert [value for _, value in found.top] == sorted(logprobs, reverse=True)[:k]
    assert found.logprob == logprobs[own]


@given(logprobs=DISTRIBUTIONS, k=st.integers(1, 10), texts=st.integers(2, 30), data=st.data())
def test_texts_that_several_tokens_share_never_give_a_rank_that_is_wrong(
    logprobs: list[float], k: int, texts: int, data: st.DataObject
) -> None:
    own = data.draw(st.integers(0, len(logprobs) - 1))
    best = sorted(range(len(logprobs)), key=lambda token: -logprobs[token])[:k]
    listed = {str(token % texts): logprobs[token] for token in [*best, own]}
    found = position_of_texts(str(own % texts), logprobs[own], listed, k)
    rank = 1 + sum(value > logprobs[own] for value in logprobs)
    assert found.top == ()
    assert found.rank == UNKNOWN_RANK or (found.rank == rank if found.rank > 0 else rank > -found.rank)


def test_a_text_that_ties_with_the_last_candidate_may_hide_one_that_is_more_likely() -> None:
    # Of k = 3 candidates (" a" -1, "b" -1.5, "a" -2), " a" and "a" were written as one text; the own token ties.
    found = position_of_texts("own", -2.0, {"a": -2.0, "b": -1.5, "own": -2.0}, 3)
    assert found.rank == -1


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ({1: -0.1, 2: 0.5}, "above 0"),
        ({1: -0.1, 2: -0.1}, "are 1.810 together"),
        ({1: -0.1, 2: math.inf}, "gives inf"),
        ({2: -0.1, 3: -4.0}, "leaves out the token 1"),
        ({1: -0.1}, "fewer candidates"),
    ],
)
def test_what_can_be_no_logprobs_is_named(candidates: dict[int, float], said: str) -> None:
    with pytest.raises(BadAnswer) as wrong:
        position(1, None, candidates, 2)
    assert said in str(wrong.value)


def test_the_number_that_stands_for_minus_infinity_is_minus_infinity() -> None:
    assert position(7, None, {7: -9999.0, 1: -0.1, 2: -3.0}, 2).logprob == -math.inf

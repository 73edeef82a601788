"""Ranks and candidates from what a server lists of a position, in whatever order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.backends.positions import BadAnswer, Candidates, Positions, positions, positions_of_texts
from shiftlens.scores.columns import UNKNOWN_RANK

# Steps of a 16th, as half precision has them, so that there are ties.
DISTRIBUTIONS = st.lists(st.integers(-128, -64), min_size=12, max_size=30).map(lambda steps: [s / 16 for s in steps])


@given(
    of_positions=st.lists(DISTRIBUTIONS, min_size=1, max_size=4),
    k=st.integers(1, 10),
    told=st.booleans(),
    data=st.data(),
)
def test_a_rank_is_one_more_than_the_tokens_that_are_more_likely_whatever_the_order(
    of_positions: list[list[float]], k: int, told: bool, data: st.DataObject
) -> None:
    owns, listed = [], []
    for logprobs in of_positions:
        own = data.draw(st.integers(0, len(logprobs) - 1))
        ties = data.draw(st.permutations(range(len(logprobs))))
        best = sorted(ties, key=lambda token: -logprobs[token])[:k]
        # Where its logprob is told beside the candidates, it need not be among them.
        also = [] if told and data.draw(st.booleans()) else [own]
        owns.append(own)
        listed.append(
            {token: logprobs[token] for token in data.draw(st.permutations([*dict.fromkeys([*also, *best])]))}
        )
    logprob = [logprobs[own] for logprobs, own in zip(of_positions, owns, strict=True)]
    found = positions(owns, logprob if told else None, Candidates.of(listed), k)
    for at, (logprobs, own) in enumerate(zip(of_positions, owns, strict=True)):
        rank = 1 + sum(value > logprobs[own] for value in logprobs)
        assert found.rank[at] == (rank if rank <= k else -k)
        top = dict(zip(found.top_ids[at].tolist(), found.top_logprobs[at].tolist(), strict=True))
        assert list(top.values()) == sorted(logprobs, reverse=True)[:k]
        assert all(logprobs[token] == value for token, value in top.items())
        # As likely ones stand by their ids, and the token itself behind them.
        assert list(top) == sorted(top, key=lambda token: (-logprobs[token], token == own, token))
        assert found.logprob[at] == logprobs[own]
        assert found.best[at] == max(logprobs)


@given(logprobs=DISTRIBUTIONS, k=st.integers(1, 10), texts=st.integers(2, 30), data=st.data())
def test_texts_that_several_tokens_share_never_give_a_rank_that_is_wrong(
    logprobs: list[float], k: int, texts: int, data: st.DataObject
) -> None:
    own = data.draw(st.integers(0, len(logprobs) - 1))
    best = sorted(range(len(logprobs)), key=lambda token: -logprobs[token])[:k]
    listed = {str(token % texts): logprobs[token] for token in [*best, own]}
    found = positions_of_texts([str(own % texts)], [logprobs[own]], [listed], k)
    rank = 1 + sum(value > logprobs[own] for value in logprobs)
    assert found.k == 0
    (told,) = found.rank
    assert told == UNKNOWN_RANK or (told == rank if told > 0 else rank > -told)


def test_a_text_that_ties_with_the_last_candidate_may_hide_one_that_is_more_likely() -> None:
    # Of k = 3 candidates (" a" -1, "b" -1.5, "a" -2), " a" and "a" were written as one text; the own token ties.
    found = positions_of_texts(["own"], [-2.0], [{"a": -2.0, "b": -1.5, "own": -2.0}], 3)
    assert found.rank == [-1]


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
        positions([1, 1], None, Candidates.of([{1: -0.5, 2: -3.0}, candidates]), 2)
    assert said in str(wrong.value)


def test_the_number_that_stands_for_minus_infinity_is_minus_infinity() -> None:
    found = positions([7], None, Candidates.of([{7: -9999.0, 1: -0.1, 2: -3.0}]), 2)
    assert found.logprob == [-math.inf]


def test_texts_of_several_requests_are_joined_with_the_candidates_that_all_have() -> None:
    one = positions([1], None, Candidates.of([{1: -0.5, 2: -3.0}]), 2)
    other = positions([3], None, Candidates.of([{4: -0.25, 3: -2.0}]), 1)
    found = Positions.joined([one, other])
    assert (found.k, found.top_ids.tolist(), found.rank.tolist()) == (1, [[1], [4]], [1, -1])
    assert found.logprob.tolist() == [-0.5, -2.0]

"""What candidates tell of the Jensen-Shannon divergence."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored, side
from shiftlens.analysis.classify import build
from shiftlens.analysis.divergence import js_between
from shiftlens.analysis.model import Candidate, Token, TokenSide
from shiftlens.analysis.tokens import token
from shiftlens.options.pair import ClassifyOptions

WEIGHTS = st.lists(st.floats(1e-4, 1), min_size=6, max_size=6)


def js(p: list[float], q: list[float]) -> float:
    """By the definition, over the whole vocabulary."""
    return sum(a * math.log(2 * a / (a + b)) / 2 + b * math.log(2 * b / (a + b)) / 2 for a, b in zip(p, q, strict=True))


def at_a_position(p: list[float], q: list[float], k: int, own: int) -> Token:
    """A position of two models with these whole distributions, of which k candidates are kept."""

    def of(probabilities: list[float]) -> TokenSide:
        order = sorted(range(len(probabilities)), key=lambda i: -probabilities[i])
        top = tuple(Candidate(i, b"", probabilities[i]) for i in order[:k])
        return TokenSide(own, order.index(own) + 1, math.log(probabilities[own]), 0.0, top)

    found = token(build(response("a"), scored([b"a"]), ClassifyOptions()), 0)
    return dataclasses.replace(found, base=of(p), aligned=of(q))


@given(WEIGHTS, WEIGHTS, st.integers(1, 6), st.integers(0, 5))
def test_it_is_never_above_the_whole_vocabularys_and_equals_it_where_all_candidates_are_kept(
    first: list[float], second: list[float], k: int, own: int
) -> None:
    p, q = ([weight / sum(each) for weight in each] for each in (first, second))
    found = js_between(at_a_position(p, q, k, own))
    assert 0 <= found <= js(p, q) + 1e-7
    if k == 6:
        assert found == pytest.approx(js(p, q), abs=1e-9)


def test_two_models_that_are_sure_of_different_tokens_are_far_apart() -> None:
    found = js_between(at_a_position([0.98, 0.005, 0.005, 0.005, 0.005], [0.005, 0.98, 0.005, 0.005, 0.005], 1, 1))
    assert 0.6 < found < math.log(2)


def test_without_candidates_it_is_not_known() -> None:
    bare = scored([], base=side(1, tops=[[-1]]), aligned=side(1, tops=[[5]]))
    assert math.isnan(js_between(token(build(response(""), bare, ClassifyOptions()), 0)))

"""A lower bound of the Jensen-Shannon divergence from candidates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.analysis.divergence import js_at_least

weights = st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8).filter(lambda found: sum(found) > 0.1)


def exact(p: list[float], q: list[float]) -> float:
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return sum(
        (a * math.log(a / m) if a else 0.0) / 2 + (b * math.log(b / m) if b else 0.0) / 2
        for a, b, m in zip(p, q, middle, strict=True)
        if m
    )


@given(weights, weights, st.integers(1, 8), st.integers(1, 8))
def test_it_is_never_more_than_the_divergence_of_all(first: list[float], second: list[float], k: int, j: int) -> None:
    p, q = ([value / sum(found) for value in found] for found in (first, second))
    of_base = {token: p[token] for token in sorted(range(8), key=lambda token: -p[token])[:k]}
    of_aligned = {token: q[token] for token in sorted(range(8), key=lambda token: -q[token])[:j]}
    found = js_at_least(of_base, of_aligned)
    assert 0.0 <= found <= exact(p, q) + 1e-9
    assert found <= math.log(2) + 1e-9


def test_it_is_the_divergence_where_all_tokens_are_known() -> None:
    p, q = [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]
    assert js_at_least(dict(enumerate(p)), dict(enumerate(q))) == pytest.approx(exact(p, q))


def test_without_candidates_it_is_not_known() -> None:
    assert math.isnan(js_at_least({}, {1: 0.5}))

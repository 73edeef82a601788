"""How far apart two distributions are, from the candidates that are known of them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def js_at_least(base: Mapping[T, float], aligned: Mapping[T, float]) -> float:
    """A lower bound of the Jensen-Shannon divergence in nats, from probabilities of tokens under each model.

    Tokens that both mappings have count by themselves, all others together as one: putting tokens together never makes
    the divergence greater. 0 to ln 2; not a number where one mapping is empty.
    """
    if not base or not aligned:
        return math.nan
    p_rest = q_rest = 1.0
    total = 0.0
    for token in base.keys() & aligned.keys():
        p, q = base[token], aligned[token]
        p_rest -= p
        q_rest -= q
        total += _term(p, q)
    return max(0.0, total + _term(max(0.0, p_rest), max(0.0, q_rest)))


def _term(p: float, q: float) -> float:
    middle = (p + q) / 2
    return ((p * math.log(p / middle) if p > 0 else 0.0) + (q * math.log(q / middle) if q > 0 else 0.0)) / 2

"""Responses under several models of one base, made by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from hypothesis import strategies as st

from analysis.hand_made import BASE_END_ID, END_ID, floats, response, scored, side
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.records import ScoredResponse, SideScores

Numbers = Sequence[tuple[int, float]]
"""The first choice and the probability of the token, at each position, the end included."""

NUMBERS = st.tuples(st.sampled_from([10, 11, 12]), st.floats(0.001, 1.0))


def model(numbers: Numbers, *, end_id: int = END_ID) -> SideScores:
    found = side(len(numbers), tops=[[choice, 13] for choice, _ in numbers], end_id=end_id)
    return dataclasses.replace(found, logprob=floats(math.log(prob) for _, prob in numbers))


def analysed(scores: ScoredResponse, text: str) -> ResponseAnalysis:
    return build(response(text), scores, ClassifyOptions())


def pair(base: Numbers, aligned: Numbers) -> ResponseAnalysis:
    pieces = [b"a"] * (len(base) - 1)
    scores = scored(pieces, base=model(base, end_id=BASE_END_ID), aligned=model(aligned))
    return analysed(scores, "a" * len(pieces))


@st.composite
def models(draw: st.DrawFn) -> list[list[tuple[int, float]]]:
    """A base model and one to four stages, at one to five positions."""
    positions = draw(st.integers(1, 5))
    each = st.lists(NUMBERS, min_size=positions, max_size=positions)
    return draw(st.lists(each, min_size=2, max_size=5))

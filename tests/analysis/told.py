"""Responses made by hand of which each token has something to be told, for the tests of every view."""

from __future__ import annotations

import dataclasses

from analysis.hand_made import BASE_END_ID, ints, response, scored, side, two_vocabularies
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.records import ScoringModel, SideScores

TEXT = "abcd"
CUT_TEXT = "abc"

NUMBERS = (
    "Base rank 1 of 1,000 (60.65%)",
    "KL(aligned || base) 0.250 nats",
    "Jaccard@2 1.00",
    "Base context: aligntds",
    "Kind: ",
)
TOLD: dict[str, tuple[int, str]] = {
    "position": (0, "Position 1 of 4"),
    "special": (0, "Special: a special token of the tokenizer"),
    "boundary": (1, "Boundary: the way prompt and response were split into tokens may explain this shift"),
    "shortened": (3, "Shortened context: the base model did not see the beginning of it here"),
    "offGreedy": (
        3,
        "Off greedy: the aligned model's most likely token is another one (base rank 1,234)",
    ),
    "entropy": (3, "Entropy: base 1.250, aligned 1.250 nats"),
    "end": (4, "Position after the last of 4"),
    "shortened twice": (4, "Shortened context: both models did not see the beginning of it here"),
    "ends": (
        4,
        "Each model ends in its own way: the base model with <eot> (id 1), the aligned model with </s> (id 2)",
    ),
}
"""What is told of `flagged`: the row, and the sentence."""

CUT: dict[str, tuple[int, str]] = {
    "realigned": (1, "Realigned: the base model reads positions 2 to 3 together as 3 tokens, cut so with probability"),
    "no number": (1, "Base rank 9 (–)"),
    "no list": (2, "Jaccard@10 –"),
    "not a token": (
        2,
        "Off greedy: the aligned model's most likely token is another one (not a token of the base model's here)",
    ),
}
"""What is told of `cut_otherwise`: the row, and the beginning of the sentence."""


def flagged() -> ResponseAnalysis:
    """A special token, one at the boundary, one of a shortened context, one that is not the first choice, the end."""
    scores = scored(
        [b"a", b"b", b"c", b"d"],
        special=(0,),
        boundary=(1,),
        ranks_of_aligned_top=[1, 1, 1, 1234, 1],
        base=_of_1000(side(5, end_id=BASE_END_ID), full_context_rows=3),
        aligned=_of_1000(side(5, ranks=[1, 1, 1, 2, 1]), full_context_rows=4),
    )
    return build(response(TEXT), scores, ClassifyOptions())


def _of_1000(of: SideScores, full_context_rows: int) -> SideScores:
    """The same of a model with a vocabulary of 1,000 that did not see the whole context after so many rows."""
    return dataclasses.replace(of, model=ScoringModel(vocabulary=1000), full_context_rows=full_context_rows)


def cut_otherwise() -> ResponseAnalysis:
    """Of a pair of two vocabularies: the base model cuts "bc" in another way. The third is not the first choice."""
    scores = two_vocabularies()
    aligned = dataclasses.replace(scores.aligned, rank=ints([1, 1, 2, 1]))
    return build(response(CUT_TEXT), dataclasses.replace(scores, aligned=aligned), ClassifyOptions())

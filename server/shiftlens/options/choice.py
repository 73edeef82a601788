"""What a user chose for one file."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.options.pair import FROM_MODELS, ClassifyOptions, PairSpec, ScoreOptions


@dataclass(frozen=True, slots=True)
class Choice:
    """A pair and options for one file, and sentences on front matter that could not be followed.

    `scores` is one of `options.pair.SCORES`; where they are those of the file itself, the pair is of no matter.
    """

    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    problems: tuple[str, ...]
    scores: str = FROM_MODELS

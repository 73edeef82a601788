"""What a user chose for one file."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions


@dataclass(frozen=True, slots=True)
class Choice:
    """A pair and options for one file, and sentences on front matter that could not be followed."""

    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    problems: tuple[str, ...]

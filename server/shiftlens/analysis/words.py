"""Sentences about a position that every view says alike."""

from __future__ import annotations

import math

from shiftlens.analysis.aligntds import SHOWN, measures_at, shown_text
from shiftlens.analysis.model import Realigned
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.columns import ScoredResponse
from shiftlens.text.visible import shorten, visible_text
from shiftlens.transcripts.model import Response, Transcript

_LONGEST_TOKEN = 40


def part_words(kind: str) -> str:
    """A kind of part as it is said."""
    return kind.replace("_", " ")


def turn_words(response: Response, transcript: Transcript) -> str:
    """Which turn of which conversation a response is, in a file of several; in one of a single one its label alone."""
    if len(transcript.conversations) < 2:
        return response.label
    place = f"conversation {response.conversation + 1}, turn {response.turn_index + 1}"
    return f"{place}, {response.label}" if response.label else place


def base_context_of(options: ScoreOptions) -> str:
    """The base context that the scores were made with, whatever was asked for: AlignTDS has its own."""
    return "aligntds" if options.compat == "aligntds" else options.base_context


def number_words(name: str, value: float) -> str:
    """A number of the reference: four decimals as its pages have them, but a rank is whole."""
    # Adding 0 makes 0 of the negative zero that rounding leaves of a tiny negative number.
    return f"{value:.0f}" if name == f"TR@{SHOWN}" else f"{round(value, 4) + 0:.4f}"


def aligntds_words(scored: ScoredResponse, row: int) -> str:
    """The reference's numbers of a position, and the token that its page would show there.

    Raises ValueError where the scores were not made with compat=aligntds.
    """
    numbers = ", ".join(f"{name} {number_words(name, value)}" for name, value in measures_at(scored, row).items())
    shown = shorten(visible_text(shown_text(scored, row)), _LONGEST_TOKEN)
    return f"AlignTDS: {numbers}; it would show {shown}"


def realigned_words(group: Realigned) -> str:
    """What a group of tokens is, that the base model, of another vocabulary, cuts in another way."""
    alone = group.end - group.first == 1
    these = "this token" if alone else f"positions {group.first + 1} to {group.end} together"
    theirs = "one token" if group.base_tokens == 1 else f"{group.base_tokens} tokens"
    return (
        f"Realigned: the base model reads {these} as {theirs}, cut so with probability"
        f" {math.exp(group.base_logprob):.2g}; the base rank is the worst of them"
    )

"""Names of parts, turns, contexts and numbers that every view says alike."""

from __future__ import annotations

from shiftlens.analysis.aligntds import SHOWN
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.records import LossMask
from shiftlens.transcripts.model import Response, Trained, Transcript

_TRAINED = {
    Trained.YES: "the file says that this turn is trained on",
    Trained.NO: "the file says that this turn is not trained on",
    Trained.PARTLY: "the file says that pieces of this turn are trained on, and others not",
}

_MASKED = {
    LossMask.COUNTED: "counted: the chat template marks this token as the assistant's",
    LossMask.LEFT_OUT: "left out: the chat template does not mark this token as the assistant's",
    LossMask.UNKNOWN: "unknown: the chat template does not write this token",
}


def part_words(kind: str) -> str:
    """A kind of part as it is said."""
    return kind.replace("_", " ")


def positions_words(count: int) -> str:
    """So many positions."""
    return f"{count:,} position{'' if count == 1 else 's'}"


def trained_words(response: Response) -> str:
    """What the file says of whether the response is trained on; "" where it does not say."""
    return _TRAINED.get(response.turn.trained, "")


def loss_mask_words(mask: LossMask | None) -> str:
    """Whether a trainer that goes by the chat template counts a token; "" where the template marks nothing."""
    return "" if mask is None else _MASKED[mask]


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

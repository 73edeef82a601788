"""What comes of scoring, as plain values in the order in which it happens."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.scores.description import ModelDescription
from shiftlens.scores.records import ScoredResponse


@dataclass(frozen=True, slots=True)
class Opened:
    """The models are in memory, and are these. `aligned` tells which of several aligned models this is about."""

    base: ModelDescription
    aligned_model: ModelDescription
    aligned: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the scoring is, from 0 to 1, and the response that is being scored: its index, and how many there are.

    `aligned` tells for which of several aligned models that is so. `said` is what else is to be said, "" for nothing:
    how fast a server is, or what it lets us wait for.
    """

    fraction: float
    index: int
    count: int
    aligned: int = 0
    said: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one response, by its index. With `partial`, only its first rows; a longer one follows.

    `matrix_library` is what takes float32 products on a CPU ("torch" or "onednn"), and `aligned` tells which of several
    aligned models the scores are of.
    """

    index: int
    scored: ScoredResponse
    partial: bool = False
    matrix_library: str = ""
    aligned: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """One response could not be scored; the others go on."""

    index: int
    problem: str
    remedy: str
    aligned: int = 0


@dataclass(frozen=True, slots=True)
class Needs:
    """From here on, until another one says otherwise, the run needs its models in memory or waits for one that is
    elsewhere. Without any, it needs them."""

    models: bool


Event = Opened | Progress | Scored | Refused | Needs
Events = tuple[Event, ...]
"""What one step of the work gave: nothing, or several events."""

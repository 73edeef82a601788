"""The tokens that alignment promotes and suppresses most, as the report's template shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.analysis.facts import probability
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.vocabulary import Place, TokenShift, vocabulary_shift
from shiftlens.analysis.words import positions_words
from shiftlens.text.visible import visible_piece

LISTED = 15
PLACES = 3


@dataclass(frozen=True, slots=True)
class PlaceLink:
    """A place: the response's key in the page, the position from 1, and the probabilities there in words."""

    key: str
    position: int
    words: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token with its change over all positions."""

    text: str
    change: str
    promoted_at: int
    suppressed_at: int
    said: int
    places: tuple[PlaceLink, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Both lists, of how many positions in words, and how many are left out (see `VocabularyShift`)."""

    positions: str
    left_out: int
    promoted: tuple[TokenRow, ...]
    suppressed: tuple[TokenRow, ...]


def vocabulary_of(analyses: Sequence[Analysis]) -> Vocabulary | None:
    """The lists of a report's files, in its order; None where they are of different pairs, or there is nothing."""
    if len({(analysis.pair.base, analysis.pair.aligned) for analysis in analyses}) != 1:
        return None
    numbered = ((str(number), found) for number, of in enumerate(analyses, 1) for found in of.responses)
    shift = vocabulary_shift(numbered, places=PLACES)
    promoted = tuple(_row(token, token.promotions) for token in shift.promoted(LISTED))
    suppressed = tuple(_row(token, token.suppressions) for token in shift.suppressed(LISTED))
    return (
        Vocabulary(positions_words(shift.positions), shift.left_out, promoted, suppressed)
        if promoted or suppressed
        else None
    )


def _row(token: TokenShift, places: Sequence[Place]) -> TokenRow:
    text = "end of the response" if token.is_end else visible_piece(token.piece)
    links = tuple(
        PlaceLink(f"{place.file}-{place.response + 1}", place.position + 1, _words(place)) for place in places
    )
    return TokenRow(text, f"{token.change:+.3f}", token.promoted_at, token.suppressed_at, token.said, links)


def _words(place: Place) -> str:
    sides = (("base", place.base), ("aligned", place.aligned))
    told = (f"{side} {'not listed' if value is None else probability(value)}" for side, value in sides)
    return f"{', '.join(told)}{', said' if place.said else ''}"

"""The tokens that alignment promotes and suppresses most, as the report's template shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.analysis.facts import probability
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Token
from shiftlens.analysis.vocabulary import Place, TokenShift, VocabularyTally
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


class VocabularyOfReport:
    """Takes in the responses of a report one by one, if its files are all of one pair."""

    def __init__(self, analyses: Sequence[Analysis]) -> None:
        self._pairs = len({(analysis.pair.base, analysis.pair.aligned) for analysis in analyses})
        self._tally = VocabularyTally(PLACES)

    def add(self, file_number: int, analysis: ResponseAnalysis, rows: Sequence[Token]) -> None:
        """Take in a response with its tokens."""
        if self._pairs == 1:
            self._tally.add(str(file_number), analysis, rows)

    def lists(self) -> Vocabulary | str:
        """The lists, or why there are none."""
        if self._pairs != 1:
            return f"they are those of one pair of models, and these files are of {self._pairs}."
        shift = self._tally.shift()
        promoted = tuple(_row(token, token.promotions) for token in shift.promoted(LISTED))
        suppressed = tuple(_row(token, token.suppressions) for token in shift.suppressed(LISTED))
        if promoted or suppressed:
            return Vocabulary(positions_words(shift.positions), shift.left_out, promoted, suppressed)
        if shift.positions:
            return f"over {positions_words(shift.positions)} none is promoted or suppressed, all in all."
        return f"both models have candidates at none of {positions_words(shift.left_out)}."


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

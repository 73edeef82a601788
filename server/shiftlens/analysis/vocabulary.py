"""Which tokens alignment promotes and suppresses: over all candidates that were kept, not only those that were said.

At a position, a token's change is its probability under the aligned model less that under the base model. A model's
list of candidates ends somewhere: one that is not in it has at most the probability of the last one there, nor more
than what the list leaves over. Then the change counted is the least that this allows, so that totals are never too
great. The response's own token has its probability in both models, wherever the lists end, and so have the candidates
of the other model where a server tells what a model gives them.

Tokens are the same where their bytes are. The ends of a turn, which the models may spell in different ways, are one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shiftlens.analysis.model import ResponseAnalysis, Token, TokenSide
from shiftlens.analysis.tokens import tokens
from shiftlens.scores.records import ScoredResponse

Key = tuple[bytes, bool]
"""The bytes of a token, and whether it is the end of a turn (then without bytes)."""

END: Key = (b"", True)


@dataclass(frozen=True, slots=True)
class Place:
    """A position at which a token's probability changes, in the response of this index of a file.

    `base` and `aligned` are its probabilities, None where it is not among a model's candidates; `change` is the least
    that is known of it. `start`, `end` are those of the position's own token (see `Token`); `said` is whether that is
    the token.
    """

    file: str
    response: int
    position: int
    start: int
    end: int
    base: float | None
    aligned: float | None
    change: float
    said: bool


@dataclass(frozen=True, slots=True)
class TokenShift:
    """A token over all positions.

    - change: the sum of its changes, `promoted` less `suppressed`; so many tokens more are expected of the aligned
      model in these contexts.
    - promoted_at, suppressed_at: the number of positions at which its probability is known to rise and to fall.
    - said: the number of positions of which it is the response's token.
    - promotions, suppressions: the places with the greatest changes, the greatest first.
    """

    piece: bytes
    is_end: bool
    promoted: float
    suppressed: float
    promoted_at: int
    suppressed_at: int
    said: int
    promotions: tuple[Place, ...]
    suppressions: tuple[Place, ...]

    @property
    def change(self) -> float:
        return self.promoted - self.suppressed


@dataclass(frozen=True, slots=True)
class VocabularyShift:
    """All tokens that are a candidate somewhere, the most promoted first.

    `positions` were compared; of those `left_out` not both models have candidates (realigned
    positions, and those of a server that tells none).
    """

    positions: int
    left_out: int
    tokens: tuple[TokenShift, ...]

    def promoted(self, limit: int) -> tuple[TokenShift, ...]:
        """Those promoted most, all in all."""
        return tuple(token for token in self.tokens[:limit] if token.change > 0)

    def suppressed(self, limit: int) -> tuple[TokenShift, ...]:
        """Those suppressed most, all in all."""
        return tuple(token for token in self.tokens[::-1][:limit] if token.change < 0)


@dataclass(slots=True)
class _Tally:
    """What is known of a token so far. The heaps hold the places with the greatest changes."""

    promoted: float = 0.0
    suppressed: float = 0.0
    promoted_at: int = 0
    suppressed_at: int = 0
    said: int = 0
    promotions: list[tuple[float, int, Place]] = field(default_factory=list)
    suppressions: list[tuple[float, int, Place]] = field(default_factory=list)

    def add(self, place: Place, number: int, limit: int) -> None:
        self.said += place.said
        if place.change > 0:
            self.promoted += place.change
            self.promoted_at += 1
            _keep(self.promotions, (place.change, -number, place), limit)
        elif place.change < 0:
            self.suppressed -= place.change
            self.suppressed_at += 1
            _keep(self.suppressions, (-place.change, -number, place), limit)


@dataclass(slots=True)
class VocabularyTally:
    """Compares the candidates at every position of responses, which are given one by one and need not be there later.

    Memory grows with the number of different tokens. `places` are listed of each token, promoted and suppressed.
    """

    places: int = 5
    _positions: int = 0
    _left_out: int = 0
    _tallies: dict[Key, _Tally] = field(default_factory=dict)

    def add(self, file: str, analysis: ResponseAnalysis, items: Iterable[Token] | None = None) -> None:
        """Take in a response of a file; `items` are its tokens, where they are there already."""
        if not isinstance(analysis.scored, ScoredResponse):
            self._left_out += analysis.scored.rows
            return
        ends = analysis.scored.base.end_id, analysis.scored.aligned.end_id
        for item in tokens(analysis) if items is None else items:
            if item.realigned is not None or item.base is None or not item.base.top or not item.aligned.top:
                self._left_out += 1
                continue
            self._positions += 1
            for key, place in _changes(item, item.base, ends, file, analysis.response.index):
                self._tallies.setdefault(key, _Tally()).add(place, self._positions, self.places)

    def shift(self) -> VocabularyShift:
        """What came of all responses so far."""
        found = [_token_shift(key, tally) for key, tally in self._tallies.items()]
        # Of equal changes, by bytes, so that the order is always the same.
        ordered = tuple(sorted(found, key=lambda token: (-token.change, token.piece)))
        return VocabularyShift(self._positions, self._left_out, ordered)


def vocabulary_shift(analyses: Iterable[tuple[str, ResponseAnalysis]], *, places: int = 5) -> VocabularyShift:
    """Compare the candidates at every position of responses, each with the name of its file."""
    tally = VocabularyTally(places)
    for file, analysis in analyses:
        tally.add(file, analysis)
    return tally.shift()


def _changes(
    item: Token, of_base: TokenSide, ends: tuple[int, int], file: str, response: int
) -> Iterator[tuple[Key, Place]]:
    own = END if item.is_end else (item.piece, False)
    base, aligned = _listed(of_base, own, ends[0]), _listed(item.aligned, own, ends[1])
    for key in {**aligned, **base}:
        b, a = base.get(key, _ABSENT), aligned.get(key, _ABSENT)
        rises = a.prob - b.prob - _unlisted(of_base, a.ids - b.ids)
        falls = b.prob - a.prob - _unlisted(item.aligned, b.ids - a.ids)
        change = rises if rises > 0 else -falls if falls > 0 else 0.0
        told = b.prob if b.ids else None, a.prob if a.ids else None
        yield key, Place(file, response, item.index, item.start, item.end, *told, change, key == own)


class _Listed(NamedTuple):
    """The probability that a model gives a token as far as it tells, and the number of ids that this is of."""

    prob: float
    ids: int


_ABSENT = _Listed(0.0, 0)


def _listed(side: TokenSide, own: Key, end_id: int) -> Mapping[Key, _Listed]:
    """The candidates of a model and those of the other one whose probability it tells, and the response's token."""
    found: dict[Key, _Listed] = {}
    for candidate in (*side.top, *side.other_top):
        key = END if candidate.id == end_id else (candidate.piece, False)
        before = found.get(key, _ABSENT)
        found[key] = _Listed(before.prob + candidate.prob, before.ids + 1)
    if own not in found and math.isfinite(side.logprob):
        found[own] = _Listed(math.exp(side.logprob), 1)
    return found


def _unlisted(side: TokenSide, ids: int) -> float:
    """What so many ids that are not among a model's candidates have at most."""
    return min(ids * side.top[-1].prob, side.missing_mass) if ids > 0 else 0.0


def _keep(heap: list[tuple[float, int, Place]], entry: tuple[float, int, Place], limit: int) -> None:
    if len(heap) < limit:
        heapq.heappush(heap, entry)
    elif heap and entry[:2] > heap[0][:2]:
        heapq.heapreplace(heap, entry)


def _token_shift(key: Key, tally: _Tally) -> TokenShift:
    piece, is_end = key
    return TokenShift(
        piece,
        is_end,
        tally.promoted,
        tally.suppressed,
        tally.promoted_at,
        tally.suppressed_at,
        tally.said,
        _sorted(tally.promotions),
        _sorted(tally.suppressions),
    )


def _sorted(heap: list[tuple[float, int, Place]]) -> tuple[Place, ...]:
    return tuple(place for *_, place in sorted(heap, key=lambda entry: entry[:2], reverse=True))

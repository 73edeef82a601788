"""Which of the tokens that a file names are the text of a response, and where each of them ends in it.

Nothing is guessed: the bytes of the tokens have to be those of the text, but for white space around it, which servers
strip. Where a file gives a token's text with U+FFFD in place of bytes that are no character alone, tokens that share
one character can be told apart by their order, and others can't.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from shiftlens.saved.cut_tokens import END_OF_TURN, Placed, is_cut, places_among_cut
from shiftlens.saved.tokens import SavedError, SavedToken

_BLANKS = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Aligned:
    """The rows of a response.

    - rows: the tokens, by index; byte_ends: where each ends in the texts of `parts`, joined.
    - parts: the texts that they are of, by index among those that were asked for; the others are not there.
    - end: the token behind the last one, where it ends the turn.
    - left_out: how many tokens are of none of the texts, nor the end.
    """

    rows: tuple[int, ...]
    byte_ends: tuple[int, ...]
    parts: tuple[int, ...]
    end: int | None
    left_out: int


def align(tokens: Sequence[SavedToken], texts: Sequence[str]) -> Aligned:
    """Find the texts of a response among tokens: all as one, else each by itself, in their order.

    Texts that are not there are left out, if one is. Raises SavedError where none is, or where one is there twice.
    """
    if not any(token.name.text or token.name.data for token in tokens):
        raise SavedError(
            "The logprobs name tokens by their ids alone, so that nothing tells which text each is. Have the server"
            " give their texts too."
        )
    try:
        found = {range(len(texts)): place(tokens, "".join(texts))}
    except SavedError:
        if len(texts) < 2:
            raise
        found = _each(tokens, texts)
    rows: list[int] = []
    ends: list[int] = []
    for placed in found.values():
        begin = ends[-1] if ends else 0
        rows += range(placed.first, placed.past)
        ends += (begin + end for end in placed.ends)
    past = rows[-1] + 1
    closes = past < len(tokens) and END_OF_TURN.fullmatch(tokens[past].name.text or "") is not None
    used = len(rows) + closes
    named = sum(1 for token in tokens if token.name.text is not None or token.name.data is not None)
    return Aligned(
        rows=tuple(rows),
        byte_ends=tuple(ends),
        parts=tuple(part for parts in found for part in parts),
        end=past if closes else None,
        left_out=max(0, named - used),
    )


def _each(tokens: Sequence[SavedToken], texts: Sequence[str]) -> dict[range, Placed]:
    found: dict[range, Placed] = {}
    why: SavedError | None = None
    past = 0
    for number, text in enumerate(texts):
        try:
            placed = place(tokens[past:], text)
        except SavedError as error:
            why = error
            continue
        found[range(number, number + 1)] = Placed(placed.first + past, placed.past + past, placed.ends)
        past += placed.past
    if not found and why is not None:
        raise why
    return found


def place(tokens: Sequence[SavedToken], text: str) -> Placed:
    """Where one text is among tokens. Raises SavedError where it is not, or where it may be in several places."""
    wanted = text.encode("utf-8", "surrogatepass")
    found = [found for first, past in _runs(tokens) for found in _in_run(tokens, first, past, wanted)]
    if found:
        one = _the_one(tokens, found)
        return Placed(one.first, one.past, _ends(tokens, one, len(wanted)))
    cut = list(places_among_cut(tokens, text)) if any(is_cut(token) for token in tokens) else []
    if not cut:
        raise SavedError(_why_none(tokens, text))
    return _the_one(tokens, cut)


class _Found(NamedTuple):
    """Tokens [first, past) are the text, but for so many bytes of white space before it."""

    first: int
    past: int
    skipped: int


_Place = TypeVar("_Place", Placed, _Found)


def _the_one(tokens: Sequence[SavedToken], found: Sequence[_Place]) -> _Place:
    """The only place; of several, the only one that is all of the tokens. Raises SavedError where there is none."""
    if len(found) > 1:
        # What was generated is all tokens, whatever words it repeats.
        is_all = _all_but_white_space(tokens)
        found = [each for each in found if is_all(each.first, each.past)] or found
    if len(found) > 1:
        raise SavedError("The text of the response stands more than once among the tokens of the logprobs.")
    return found[0]


def _runs(tokens: Sequence[SavedToken]) -> Iterator[tuple[int, int]]:
    """The longest runs of tokens whose bytes are known."""
    first = 0
    for known, group in itertools.groupby(tokens, key=lambda token: token.name.data is not None):
        past = first + sum(1 for _ in group)
        if known:
            yield first, past
        first = past


def _in_run(tokens: Sequence[SavedToken], first: int, past: int, wanted: bytes) -> Iterator[_Found]:
    """The places of the bytes in one run, in time that grows with the run alone however often it repeats itself."""
    pieces = [token.name.data or b"" for token in tokens[first:past]]
    edges = [0, *itertools.accumulate(map(len, pieces))]
    # What of each token is white space before its text, and where its text ends.
    begins = [edge + len(piece) - len(piece.lstrip(_BLANKS)) for edge, piece in zip(edges, pieces, strict=False)]
    stops = [edge + len(piece.rstrip(_BLANKS)) for edge, piece in zip(edges, pieces, strict=False)]
    for at in occurrences(b"".join(pieces), wanted):
        row = bisect_right(edges, at) - 1
        last = max(row, bisect_left(edges, at + len(wanted)) - 1)
        if at <= begins[row] and at + len(wanted) >= stops[last]:
            yield _Found(first + row, first + last + 1, at - edges[row])


def occurrences(data: bytes, wanted: bytes) -> Iterator[int]:
    """Every place of some bytes in others, also of those that overlap; none of no bytes. Takes linear time.

    Bytes that repeat themselves with a period of at most half their length are there again one period on, or nowhere
    before they have nearly ended; of others, two places are more than half their length apart.
    """
    size = len(wanted)
    if not size:
        return
    period = _short_period(wanted)
    at = data.find(wanted)
    while at >= 0:
        yield at
        if period is None:
            at = data.find(wanted, at + 1)
        elif data[at + size : at + size + period] == wanted[size - period :]:
            at += period
        else:
            at = data.find(wanted, at + size - period + 1)


def _short_period(data: bytes) -> int | None:
    """The least number of bytes after which all of them repeat themselves; None where that is more than half."""
    size = len(data)
    found = data.find(data[: size - size // 2], 1)
    return found if found > 0 and data[found:] == data[: size - found] else None


def _ends(tokens: Sequence[SavedToken], found: _Found, size: int) -> tuple[int, ...]:
    """Where each token of a place ends in the text of so many bytes."""
    sizes = (len(token.name.data or b"") for token in tokens[found.first : found.past])
    return tuple(min(end - found.skipped, size) for end in itertools.accumulate(sizes))


def _all_but_white_space(tokens: Sequence[SavedToken]) -> Callable[[int, int], bool]:
    """Tells whether the tokens around [first, past) are white space and at the most one behind that ends the turn."""
    said = [at for at, token in enumerate(tokens) if token.name.data is None or token.name.data.strip(_BLANKS)]
    begin, stop = (said[0], said[-1] + 1) if said else (len(tokens), 0)

    def is_all(first: int, past: int) -> bool:
        ends = past < len(tokens) and END_OF_TURN.fullmatch(tokens[past].name.text or "") is not None
        return first <= begin and past + ends >= stop

    return is_all


def _why_none(tokens: Sequence[SavedToken], text: str) -> str:
    said = "".join(token.name.text or "" for token in tokens).strip()
    shared = next((at for at, (a, b) in enumerate(zip(said, text, strict=False)) if a != b), min(len(said), len(text)))
    return (
        f"The {len(tokens):,} tokens of the logprobs are not the text of the response: they are the same for"
        f" {shared:,} of its {len(text):,} characters."
    )

"""Which of the tokens that a file names are the text of a response, and where each of them ends in it.

Nothing is guessed: the bytes of the tokens have to be those of the text, but for white space around it, which servers
strip. Where a file gives a token's text with U+FFFD in place of bytes that are no character alone, tokens that share
one character can be told apart by their order, and others can't.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from shiftlens.saved.tokens import REPLACEMENT, SavedError, SavedToken

_BLANKS = b" \t\r\n"
# The spellings of ends of turns and texts. Any other token behind a text may be one that was cut off there.
_END = re.compile(r"<[|｜][^<>]{1,40}[|｜]>|</s>|<(?:eos|EOS|eot|EOT|end_of_turn|end)>|\[(?:EOS|eos)\]")
_MOST_CUT_TOKENS = 20_000
_MOST_STEPS = 3_000_000


@dataclass(frozen=True, slots=True)
class Placed:
    """Tokens [first, past) are the text; `ends` has for each where it ends there, in UTF-8 bytes."""

    first: int
    past: int
    ends: tuple[int, ...]


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
    closes = past < len(tokens) and _END.fullmatch(tokens[past].name.text or "") is not None
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
    cut = list(_in_cut(tokens, text)) if any(_is_cut(token) for token in tokens) else []
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
        ends = past < len(tokens) and _END.fullmatch(tokens[past].name.text or "") is not None
        return first <= begin and past + ends >= stop

    return is_all


def _is_cut(token: SavedToken) -> bool:
    return token.name.data is None and token.name.text is not None and REPLACEMENT in token.name.text


def _in_cut(tokens: Sequence[SavedToken], text: str) -> Iterator[Placed]:
    """The places of the text among tokens of which some have U+FFFD for their bytes.

    Raises SavedError where looking for them takes too long.
    """
    pieces = [token.name.text for token in tokens]
    for first, past in _wholes(pieces):
        # Pieces of several characters are told of here, where all between two ends of turns is the text.
        ends = _cut_ends(_without_blanks(pieces[first:past], text), text)
        if ends is not None:
            yield Placed(first, past, ends)
            return
    steps = 0
    for first in range(len(pieces)):
        reached, taken = _walk(pieces, first, text)
        steps += taken
        if steps > _MOST_STEPS:
            raise SavedError(
                f"The {len(pieces):,} tokens of the logprobs repeat themselves so often that looking for the text of"
                " the response among them was given up. Have the server give the bytes of its tokens too (`bytes`)."
            )
        ends = None if reached is None else _cut_ends(_without_blanks(pieces[first:reached], text), text)
        if reached is not None and ends is not None:
            yield Placed(first, reached, ends)


def _wholes(pieces: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """The runs of pieces between two that end a turn or have no text."""
    first = 0
    for apart, group in itertools.groupby(pieces, key=lambda piece: piece is None or _END.fullmatch(piece) is not None):
        past = first + sum(1 for _ in group)
        if not apart and past - first <= _MOST_CUT_TOKENS:
            yield first, past
        first = past


def _walk(pieces: Sequence[str | None], first: int, text: str) -> tuple[int | None, int]:
    """One past the last of the pieces from `first` on that are the text, each run of U+FFFD one character of it.

    None where they are not it. Then the number of steps that this took.
    """
    at = steps = 0
    within = False
    for row in range(first, len(pieces)):
        piece = pieces[row]
        if piece is None:
            return None, steps
        if row == first and not piece.startswith(text[:1]):
            piece = piece.lstrip(" \t\r\n")
        if row == first and not piece:
            return None, steps
        if at == len(text) and not (within and piece.startswith(REPLACEMENT)):
            return row, steps
        for character in piece:
            steps += 1
            if character == REPLACEMENT:
                if not within:
                    if at == len(text) or text[at] < "\x80":
                        return None, steps
                    at, within = at + 1, True
                continue
            within = False
            if at == len(text):
                if character not in " \t\r\n":
                    return None, steps
            elif text[at] != character:
                return None, steps
            else:
                at += 1
    return (len(pieces), steps) if at == len(text) else (None, steps)


def _without_blanks(pieces: Sequence[str | None], text: str) -> list[str]:
    """Pieces without the white space around a text that has none itself."""
    found = [piece or "" for piece in pieces]
    if found and not found[0].startswith(text[:1]):
        found[0] = found[0].lstrip(" \t\r\n")
    if found and not found[-1].endswith(text[-1:]):
        found[-1] = found[-1].rstrip(" \t\r\n")
    return found


def _cut_ends(pieces: Sequence[str], text: str) -> tuple[int, ...] | None:
    """Where each piece ends in the text, in bytes; None where they are not it."""
    pattern = "".join(
        "([^\\x00-\\x7f]+?)" if is_hole else re.escape("".join(group))
        for is_hole, group in itertools.groupby("".join(pieces), key=lambda each: each == REPLACEMENT)
    )
    found = re.fullmatch(pattern, text)
    if found is None:
        return None
    if any(len(hole) > 1 for hole in found.groups()):
        raise SavedError(
            "Some tokens of the logprobs hold pieces of several characters, which the file does not spell (`bytes`), so"
            " that nothing tells which is of which."
        )
    holes = iter(found.groups())
    ends: list[int] = []
    at = left = 0
    within = False
    for number, piece in enumerate(pieces):
        for character in piece:
            if character != REPLACEMENT:
                at, left, within = at + left + len(character.encode("utf-8", "surrogatepass")), 0, False
            elif not within:
                at, left, within = at + left, len(next(holes).encode("utf-8", "surrogatepass")), True
        if within and piece.endswith(REPLACEMENT):
            # The bytes of one character, one for each token and the rest for the last; only their order is shown.
            goes_on = number + 1 < len(pieces) and pieces[number + 1].startswith(REPLACEMENT)
            taken = min(1, left - 1) if goes_on else left
            at, left = at + max(0, taken), left - max(0, taken)
        ends.append(at)
    return tuple(ends)


def _why_none(tokens: Sequence[SavedToken], text: str) -> str:
    said = "".join(token.name.text or "" for token in tokens).strip()
    shared = next((at for at, (a, b) in enumerate(zip(said, text, strict=False)) if a != b), min(len(said), len(text)))
    return (
        f"The {len(tokens):,} tokens of the logprobs are not the text of the response: they are the same for"
        f" {shared:,} of its {len(text):,} characters."
    )

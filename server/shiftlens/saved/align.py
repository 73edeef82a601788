"""Which of the tokens that a file names are the text of a response, and where each of them ends in it.

Nothing is guessed: the bytes of the tokens have to be those of the text, but for white space around it, which servers
strip. Where a file gives a token's text with U+FFFD in place of bytes that are no character alone, tokens that share
one character can be told apart by their order, and others can't.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    found = [placed for first, past in _runs(tokens) for placed in _in_run(tokens, first, past, wanted)]
    if not found and any(_is_cut(token) for token in tokens):
        found = list(_in_cut(tokens, text))
    if len(found) > 1:
        # What was generated is all tokens, whatever words it repeats.
        found = [placed for placed in found if _is_all(tokens, placed)] or found
    if not found:
        raise SavedError(_why_none(tokens, text))
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


def _in_run(tokens: Sequence[SavedToken], first: int, past: int, wanted: bytes) -> Iterator[Placed]:
    """The places of the bytes in one run, at the most two."""
    edges = [0, *itertools.accumulate(len(token.name.data or b"") for token in tokens[first:past])]
    data = b"".join(token.name.data or b"" for token in tokens[first:past])
    at, count = data.find(wanted), 0
    while 0 <= at < len(data) and count < _MOST_PLACES:
        row = bisect_right(edges, at) - 1
        end = max(row, bisect_left(edges, at + len(wanted)) - 1)
        if data[edges[row] : at].strip(_BLANKS):
            # Nothing begins further on in this token either.
            at = data.find(wanted, edges[row + 1])
            continue
        if not data[at + len(wanted) : edges[end + 1]].strip(_BLANKS):
            ends = (min(edge - at, len(wanted)) for edge in edges[row + 1 : end + 2])
            yield Placed(first + row, first + end + 1, tuple(ends))
            count += 1
        at = data.find(wanted, at + 1)


_MOST_PLACES = 100


def _is_all(tokens: Sequence[SavedToken], placed: Placed) -> bool:
    """Whether the tokens around a place are white space and at the most one that ends the turn."""
    before, behind = tokens[: placed.first], tokens[placed.past :]
    ended = behind[1:] if behind and _END.fullmatch(behind[0].name.text or "") else behind
    return all(token.name.data is not None and not token.name.data.strip(_BLANKS) for token in (*before, *ended))


def _is_cut(token: SavedToken) -> bool:
    return token.name.data is None and token.name.text is not None and REPLACEMENT in token.name.text


def _in_cut(tokens: Sequence[SavedToken], text: str) -> Iterator[Placed]:
    """The places of the text among tokens of which some have U+FFFD for their bytes."""
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
            return
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

"""The text of a response among tokens whose bytes a file does not spell, with U+FFFD for what is no character alone.

Tokens that share one character can be told apart by their order; pieces of several characters can't.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shiftlens.saved.tokens import REPLACEMENT, SavedError, SavedToken

# The spellings of ends of turns and texts. Any other token behind a text may be one that was cut off there.
END_OF_TURN = re.compile(r"<[|｜][^<>]{1,40}[|｜]>|</s>|<(?:eos|EOS|eot|EOT|end_of_turn|end)>|\[(?:EOS|eos)\]")
_MOST_CUT_TOKENS = 20_000
_MOST_STEPS = 3_000_000


@dataclass(frozen=True, slots=True)
class Placed:
    """Tokens [first, past) are the text; `ends` has for each where it ends there, in UTF-8 bytes."""

    first: int
    past: int
    ends: tuple[int, ...]


def is_cut(token: SavedToken) -> bool:
    return token.name.data is None and token.name.text is not None and REPLACEMENT in token.name.text


def places_among_cut(tokens: Sequence[SavedToken], text: str) -> Iterator[Placed]:
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

    def is_apart(piece: str | None) -> bool:
        return piece is None or END_OF_TURN.fullmatch(piece) is not None

    for apart, group in itertools.groupby(pieces, key=is_apart):
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

"""One token that a file has a logprob of, in whatever shape it stood there."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_MORE_THAN_HALF = math.log(0.5) + 1e-4
REPLACEMENT = "\ufffd"
_ID_ALONE = re.compile(r"token_id:(\d{1,10})")
_BYTES = re.compile(r"bytes:( ?(?:\\x[0-9a-fA-F]{2})+)")


class SavedError(Exception):
    """Why logprobs of a file can't be shown, as a sentence."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a file names a token by: its text, its bytes and its id, each None where it does not."""

    text: str | None
    data: bytes | None = None
    id: int | None = None

    @property
    def key(self) -> int | bytes | str:
        """Equal for what is the same token, as far as can be told."""
        if self.id is not None:
            return self.id
        return self.data if self.data is not None else self.text or ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that the model might have chosen, and its logprob in nats."""

    name: Named
    logprob: float


@dataclass(frozen=True, slots=True)
class SavedToken:
    """A token of the text: its logprob in nats, None where the file says nothing or only that it is tiny.

    - top: the most likely tokens there, in the file's order, of which the token may be one; no other is more likely
      than the least of them.
    - may_hide: tokens that are more likely than some of `top` may be missing there.
    """

    name: Named
    logprob: float | None
    top: tuple[Candidate, ...] = ()
    may_hide: bool = False


def rank_of_token(token: SavedToken) -> int:
    """What is known of a token's rank, as a column of ranks has it (`scores.columns.rank_of`).

    A token that has more than half of all probability is the most likely one, whatever else is known.
    """
    own = token.logprob
    if own is None:
        return -len(token.top)
    if own > _MORE_THAN_HALF:
        return 1
    greater = sum(each.logprob > own for each in token.top if each.name.key != token.name.key)
    if not token.top or own < min(each.logprob for each in token.top):
        return -len(token.top)
    return -greater if token.may_hide else 1 + greater


def named(text: object, data: object = None, token_id: object = None) -> Named:
    """What a token is named by. Text that stands for bytes is these bytes; text that was cut tells none."""
    known_id = token_id if isinstance(token_id, int) and not isinstance(token_id, bool) and token_id >= 0 else None
    words = text if isinstance(text, str) else None
    if words is not None and (alone := _ID_ALONE.fullmatch(words)):
        return Named(None, None, int(alone[1]))
    if isinstance(data, Sequence) and not isinstance(data, str) and data and all(_is_byte(each) for each in data):
        return Named(words, bytes(data), known_id)
    if words is None:
        return Named(None, None, known_id)
    if spelled := _BYTES.fullmatch(words):
        return Named(words, spelled[1].encode().decode("unicode_escape").encode("latin-1"), known_id)
    if REPLACEMENT in words:
        return Named(words, None, known_id)
    return Named(words, words.encode("utf-8", "surrogatepass"), known_id)


def _is_byte(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 256

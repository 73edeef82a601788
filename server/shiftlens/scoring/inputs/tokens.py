"""From a context and a response to ids and byte spans, with the boundary between them stated.

Spans come from the bytes of the tokens and are checked to join to the text. Where a tokenizer rewrites text
(Unicode normalisation, swallowed spaces) they do not join; then, and only then, its offset mapping is used.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from transformers import PreTrainedTokenizerFast

from shiftlens.errors import ScoringError
from shiftlens.scoring.inputs.pieces import Pieces


@dataclass(frozen=True, slots=True)
class Encoding:
    """Ids of a text with where each ends, in UTF-8 bytes of the text. `exact` is False for offset mappings."""

    ids: tuple[int, ...]
    byte_ends: tuple[int, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class SplitEncoding:
    """A context and a response as a model would see them.

    `joint` says that context and response were tokenised together and came apart cleanly; otherwise each was
    tokenised by itself. `byte_ends` count from the beginning of the response, and the last is its length.
    """

    prefix_ids: tuple[int, ...]
    ids: tuple[int, ...]
    byte_ends: tuple[int, ...]
    joint: bool
    exact: bool


class TextEncoder:
    """A tokenizer with the bytes of its tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.pieces = Pieces(tokenizer)
        self.leading_ids = _leading_special_ids(tokenizer)

    @functools.cached_property
    def id_of_bytes(self) -> dict[bytes, int]:
        """The id of each token by its bytes, special and added tokens left out.

        Where several have the same, the last: SentencePiece numbers its single bytes before its words.
        """
        pieces = self.pieces
        added = self.tokenizer.added_tokens_decoder
        return {pieces[i]: i for i in sorted(self.tokenizer.get_vocab().values()) if i not in added}

    def encode(self, text: str) -> Encoding:
        """Encode without adding special tokens; special tokens spelt out in the text become their ids."""
        batch = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False, verbose=False
        )
        ids = tuple(int(i) for i in batch["input_ids"])
        data = text.encode("utf-8")
        ends = _ends_from_bytes(self.pieces.of(ids), data)
        if ends is not None:
            return Encoding(ids, ends, exact=True)
        return Encoding(ids, _ends_from_offsets(batch["offset_mapping"], text), exact=False)

    def split(self, prefix: str, response: str, *, leading_ids: Sequence[int] = ()) -> SplitEncoding:
        """Encode `prefix` and `response` together and split where the response begins.

        The split is clean where a token ends exactly there and the tokens before it are those of the prefix by
        itself. A token that begins with white space at the end of the prefix and goes on into the response is the
        response's (Llama-2 answers with `▁Sure` after `[/INST] `), its span begins with the response.
        Raises ScoringError when the response has no tokens.
        """
        at = len(prefix.encode("utf-8"))
        whole = self.encode(prefix + response)
        first = _first_token_past(whole.byte_ends, at)
        start = whole.byte_ends[first - 1] if first else 0
        shared = (prefix + response).encode("utf-8")[start:at]
        if first < len(whole.ids) and not shared.strip():
            kept = (prefix.encode("utf-8")[:start]).decode("utf-8", "replace")
            if self.encode(kept).ids == whole.ids[:first]:
                ends = tuple(end - at for end in whole.byte_ends[first:])
                return SplitEncoding(
                    (*leading_ids, *whole.ids[:first]), whole.ids[first:], ends, joint=True, exact=whole.exact
                )
        return self.separate(prefix, response, leading_ids=leading_ids)

    def separate(self, prefix: str, response: str, *, leading_ids: Sequence[int] = ()) -> SplitEncoding:
        """Encode `prefix` and `response` each by itself. Raises ScoringError for a response of no tokens."""
        own = self.encode(response)
        if not own.ids:
            raise ScoringError("The response has no tokens.", "Check that it holds more than white space.")
        return SplitEncoding(
            (*leading_ids, *self.encode(prefix).ids), own.ids, own.byte_ends, joint=False, exact=own.exact
        )


def _leading_special_ids(tokenizer: PreTrainedTokenizerFast) -> tuple[int, ...]:
    """Ids that the tokenizer puts before a text by itself, such as BOS."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a", add_special_tokens=True)["input_ids"]
    for i in range(len(full) - len(bare) + 1):
        if full[i : i + len(bare)] == bare:
            return tuple(int(x) for x in full[:i])
    return ()


def _first_token_past(byte_ends: Sequence[int], at: int) -> int:
    """Index of the first token that ends after byte `at`."""
    return next((i for i, end in enumerate(byte_ends) if end > at), len(byte_ends))


def _ends_from_bytes(pieces: Sequence[bytes], data: bytes) -> tuple[int, ...] | None:
    """Byte ends of tokens that join to `data`, None where they do not.

    SentencePiece puts a space before a text, and before what follows a special token; such a space belongs to its
    token and to no byte of the text.
    """
    if b"".join(pieces) == data:
        return tuple(accumulate(map(len, pieces)))
    ends, at = [], 0
    for piece in pieces:
        if data.startswith(piece, at):
            at += len(piece)
        elif piece.startswith(b" ") and data.startswith(piece[1:], at):
            at += len(piece) - 1
        else:
            return None
        ends.append(at)
    return tuple(ends) if at == len(data) else None


def _ends_from_offsets(offsets: Sequence[tuple[int, int]], text: str) -> tuple[int, ...]:
    """Byte ends from code-point offsets, made to partition the text: no gaps, no steps back."""
    char_ends: list[int] = []
    for i, (_, end) in enumerate(offsets):
        following = offsets[i + 1][0] if i + 1 < len(offsets) else len(text)
        previous = char_ends[-1] if char_ends else 0
        char_ends.append(max(previous, end, following) if following >= end else max(previous, end))
    if char_ends:
        char_ends[-1] = len(text)
    bytes_before = [0]
    for char in text:
        bytes_before.append(bytes_before[-1] + len(char.encode("utf-8")))
    return tuple(bytes_before[min(end, len(text))] for end in char_ends)

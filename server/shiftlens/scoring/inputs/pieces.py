"""The bytes that each token id stands for.

`decode([id])` won't do: it drops a SentencePiece token's leading space and turns part of a character into
U+FFFD. So the bytes are read from the vocabulary, by the kind of the tokenizer's decoder: byte-level (GPT-2,
Llama 3, Qwen: every byte has a printable stand-in, Radford et al. 2019) or SentencePiece with byte fallback (`▁`
for a space, `<0x0A>` for a byte).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerFast

from shiftlens.errors import ModelError

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_WORD_START = "\u2581"


class PieceStyle(Enum):
    """How a vocabulary spells bytes."""

    BYTE_LEVEL = "byte-level"
    SENTENCE_PIECE = "sentence-piece"


class Pieces:
    """Bytes of token ids, for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Raises ModelError for a tokenizer whose tokens can't be spelt as bytes (WordPiece and the like)."""
        self._tokenizer = tokenizer
        self.style = _style(tokenizer)
        self._added = {i: t.content for i, t in tokenizer.added_tokens_decoder.items()}
        self._known = _Known(self._bytes_of)
        self.special_ids = frozenset(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)

    def __getitem__(self, token_id: int) -> bytes:
        """The bytes of an id; those of an id that the vocabulary lacks (padding rows) are empty."""
        return self._known[token_id]

    def _bytes_of(self, token_id: int) -> bytes:
        added = self._added.get(token_id)
        if added is not None:
            return added.encode("utf-8", "replace")
        token = self._tokenizer.convert_ids_to_tokens(token_id)
        if not isinstance(token, str):
            return b""
        return _byte_level(token) if self.style is PieceStyle.BYTE_LEVEL else _sentence_piece(token)

    def of(self, token_ids: Iterable[int]) -> list[bytes]:
        """The bytes of several ids."""
        return list(map(self._known.__getitem__, token_ids))


class _Known(dict[int, bytes]):
    """The bytes of ids, each found once: the same ids come again and again."""

    def __init__(self, find: Callable[[int], bytes]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, token_id: int) -> bytes:
        found = self[token_id] = self._find(token_id)
        return found


def _style(tokenizer: PreTrainedTokenizerFast) -> PieceStyle:
    decoder = json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder")
    kinds = set(_decoder_kinds(decoder))
    if "ByteLevel" in kinds:
        return PieceStyle.BYTE_LEVEL
    if kinds & {"Metaspace", "ByteFallback"}:
        return PieceStyle.SENTENCE_PIECE
    raise ModelError(
        f"The tokenizer of {tokenizer.name_or_path} spells its tokens in a way ShiftLens does not know"
        f" (decoder: {', '.join(sorted(kinds)) or 'none'}).",
        "Use models with a byte-level or a SentencePiece tokenizer.",
    )


def _decoder_kinds(decoder: dict[str, Any] | None) -> list[str]:
    if decoder is None:
        return []
    return [decoder["type"], *(kind for inner in decoder.get("decoders", ()) for kind in _decoder_kinds(inner))]


@lru_cache(maxsize=1)
def _byte_of_stand_in() -> dict[str, int]:
    """GPT-2's table: printable bytes stand for themselves, the others for the code points from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [b for b in range(256) if b not in set(printable)]
    table = {chr(b): b for b in printable}
    table.update({chr(256 + i): b for i, b in enumerate(others)})
    return table


def _byte_level(token: str) -> bytes:
    table = _byte_of_stand_in()
    try:
        return bytes([table[c] for c in token])
    except KeyError:
        return token.encode("utf-8", "replace")


def _sentence_piece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    if byte is not None:
        return bytes([int(byte[1], 16)])
    return token.replace(_WORD_START, " ").encode("utf-8", "replace")

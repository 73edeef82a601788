"""What models write from a position on, and how likely other text is there. No torch."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

BASE_ALPHA, ALIGNED_ALPHA = -1.0, 0.0
DEFAULT_TOKENS = 40
MOST_TOKENS = 4096
MOST_SAMPLES = 100
MOST_SEED = (1 << 63) - 1


class Voice(msgspec.Struct, frozen=True):
    """One continuation that is asked for: of logits of aligned + alpha x (aligned - base).

    So -1 is the base model, 0 the aligned one, above 0 what tuning did is amplified. Without a seed it is greedy.
    """

    alpha: float
    seed: int | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How continuations are drawn that have a seed, and how many tokens each continuation has at the most."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = DEFAULT_TOKENS


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """Where continuations begin, and what the response says there.

    - position, positions: as its scores count them, from 0, and how many there are.
    - byte: where the position begins in the texts of the scored parts, in UTF-8.
    - before, said: the bytes of the response's last tokens before the position, and of its tokens from there on, as
      many as a continuation may have.
    - notes: what the reader should know, in sentences.
    """

    position: int
    positions: int
    byte: int
    before: tuple[bytes, ...]
    said: tuple[bytes, ...]
    notes: tuple[str, ...] = ()


class WrittenToken(msgspec.Struct, frozen=True, kw_only=True):
    """The next token of a continuation.

    `logprob` in nats is that of its voice at temperature 1. `end` is "" where the continuation goes on; else this is
    its last token: "end" (it ends the text and is no part of it), "close" (with it the context is closed), "length" (no
    more were asked for) or "room" (the model takes no more).
    """

    id: int
    piece: bytes
    logprob: float
    end: str = ""


class RankedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token of a text that was asked about: its rank (1 is the most likely) and its logprob in nats."""

    id: int
    piece: bytes
    rank: int
    logprob: float


class RankedText(msgspec.Struct, frozen=True, kw_only=True):
    """A text at a position under both models, each token after those before it. Each model has its own tokens."""

    position: int
    base: tuple[RankedToken, ...]
    aligned: tuple[RankedToken, ...]
    notes: tuple[str, ...] = ()


def voices(alphas: Iterable[float], samples: int = 0, seed: int = 0) -> tuple[Voice, ...]:
    """For each alpha a greedy voice, then those that sample with the seeds from `seed` on, the same for each alpha."""
    return tuple(
        Voice(alpha, drawn)
        for alpha in dict.fromkeys(alphas)
        for drawn in (None, *range(seed, seed + samples))
    )  # fmt: skip


def text_of(pieces: Iterable[bytes]) -> str:
    """Tokens as text; bytes that make no character are U+FFFD."""
    return b"".join(pieces).decode("utf-8", "replace")

"""What models write from a position on, and how likely other text is there. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from shiftlens.errors import ScoringError

BASE_ALPHA, ALIGNED_ALPHA = -1.0, 0.0
DEFAULT_TOKENS = 40
DEFAULT_SAMPLES = 4
"""How many continuations cross-sampling draws of each arm."""
MOST_TOKENS = 4096
MOST_SAMPLES = 100
MOST_SEED = (1 << 63) - 1
_MOST_POSITION = (1 << 31) - 1
NEVER = (1 << 31) - 1
"""The `above` of swaps of which none is made, so that it is only seen where one could be."""


class Swaps(msgspec.Struct, frozen=True):
    """Where one model writes, the other's first choice stands instead at up to `most` steps: the first ones at which
    the base model's rank of what the aligned model says is above `above`.

    What the aligned model says is what it writes there, or where the base model writes, its first choice.
    """

    most: int
    above: int


class Voice(msgspec.Struct, frozen=True):
    """One continuation that is asked for: of logits of aligned + alpha x (aligned - base).

    So -1 is the base model, 0 the aligned one, above 0 what tuning did is amplified. Without a seed it is greedy.
    With `instead`, an id of its own vocabulary or some text, it begins with this and goes on behind it. With `swaps`,
    of the base or the aligned model in a pair of one vocabulary, the other model has a say.
    """

    alpha: float
    seed: int | None = None
    instead: int | str | None = None
    swaps: Swaps | None = None


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

    `logprob` in nats is that of its voice at temperature 1. `is_given` tells that it is of what the voice was to begin
    with (`Voice.instead`), which counts among the tokens that were asked for, and `is_swapped` that it is the other
    model's (`Voice.swaps`), in place of `replaced`. `base_rank` is the base model's rank of what the aligned model says
    here where a swap could be made; 0 where none could, or it was not looked for. `end` is "" where the continuation
    goes on; else this is its last token: "end" (it ends the text and is no part of it), "close" (with it the context is
    closed), "length" (no more were asked for) or "room" (the model takes no more).
    """

    id: int
    piece: bytes
    logprob: float
    end: str = ""
    is_given: bool = False
    is_swapped: bool = False
    replaced: bytes = b""
    base_rank: int = 0


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
    """For each alpha a greedy voice, then those that sample with the seeds from `seed` on, the same for each alpha.

    Raises ScoringError for more samples than MOST_SAMPLES, or less than none.
    """
    if not 0 <= samples <= MOST_SAMPLES:
        raise _refused(f"0 to {MOST_SAMPLES} samples")
    seeds = (None, *range(seed, seed + samples))
    return tuple(Voice(alpha, drawn) for alpha in dict.fromkeys(alphas) for drawn in seeds)


def voice_name(voice: Voice) -> str:
    """Which model speaks, in a word or two."""
    return {BASE_ALPHA: "base", ALIGNED_ALPHA: "aligned"}.get(voice.alpha, f"alpha {voice.alpha:g}")


def check_asked(wanted: Sequence[Voice], sampling: Sampling) -> None:
    """Raises ScoringError where continuations are asked for that can't be."""
    for is_fine, what in (
        (bool(wanted), "at least one continuation"),
        (all(math.isfinite(voice.alpha) for voice in wanted), "a finite alpha"),
        (all(voice.instead != "" for voice in wanted), "some text to begin with where one is named"),
        (all(_can_swap(voice) for voice in wanted), "swaps, from 1 up, of the base or the aligned model alone"),
        (all(voice.seed is None or 0 <= voice.seed <= MOST_SEED for voice in wanted), "seeds from 0 to 2^63 - 1"),
        (math.isfinite(sampling.temperature) and sampling.temperature > 0, "a temperature above 0"),
        (0 < sampling.top_p <= 1, "a top_p above 0 and at most 1"),
        (1 <= sampling.max_tokens <= MOST_TOKENS, f"1 to {MOST_TOKENS} tokens"),
    ):
        if not is_fine:
            raise _refused(what)


def _can_swap(voice: Voice) -> bool:
    if voice.swaps is None:
        return True
    is_one_model = voice.alpha in (BASE_ALPHA, ALIGNED_ALPHA) and voice.instead is None
    return is_one_model and voice.swaps.most >= 1 and voice.swaps.above >= 1


def check_position(position: int) -> None:
    """Raises ScoringError for what is no position of any response."""
    if not 0 <= position <= _MOST_POSITION:
        raise ScoringError(f"No response has a position {position}.", "Positions count from 0.")


def text_of(pieces: Iterable[bytes]) -> str:
    """Tokens as text; bytes that make no character are U+FFFD."""
    return b"".join(pieces).decode("utf-8", "replace")


def _refused(what: str) -> ScoringError:
    return ScoringError(f"Continuations need {what}.", "Ask again with that.")

"""Why a continuation ends, and what is said where nothing can follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shiftlens.errors import ScoringError
from shiftlens.scoring.continuing.place import SidePlace


def end_of(token: int, text: bytes, sides: Sequence[SidePlace]) -> str:
    """The word "end" where a token ends the text for a side, "close" where the text closes its context, else ""."""
    if any(token in side.end_ids for side in sides):
        return "end"
    return "close" if any(side.close and side.close in text for side in sides) else ""


def broken(names: Iterable[str], after: int) -> ScoringError:
    """The error of logits that are no numbers after so many tokens."""
    return ScoringError(
        f"The logits of {' and '.join(dict.fromkeys(names))} are NaN or infinite after {after} tokens, so that nothing"
        " follows.",
        "Choose another dtype (`shiftlens.dtype`, `--dtype`), or a smaller alpha.",
    )

"""Values as all JSON of ShiftLens has them: what is not known is null, never left to be guessed."""

from __future__ import annotations

import math

from shiftlens.analysis.classify import Shares
from shiftlens.analysis.model import CLASSES, ShiftClass
from shiftlens.analysis.ranks import rank_number
from shiftlens.errors import ShiftLensError, TranscriptError
from shiftlens.scores.columns import Above, Rank
from shiftlens.scores.records import LossMask

Json = dict[str, object]


def finite(value: float) -> float | None:
    """A number; None for what is not one, which JSON does not have."""
    return value if math.isfinite(value) else None


def class_name(shift: ShiftClass) -> str | None:
    """The name of a class; None where none can be told."""
    return None if shift is ShiftClass.UNKNOWN else shift.label


def loss_mask_value(mask: LossMask) -> bool | None:
    """Whether a token is counted; None where the chat template does not tell."""
    return None if mask is LossMask.UNKNOWN else mask is LossMask.COUNTED


def rank_json(rank: Rank) -> Json:
    """Has "rank", and "rank_above" where it is only known to be above a number."""
    return {"rank": rank_number(rank), **({"rank_above": rank.rank} if isinstance(rank, Above) else {})}


def piece_json(piece: bytes, *, is_end: bool = False) -> Json:
    """The text of a token, and its bytes (hex) where these are no text; the end of a response has none and is
    "end_of_response"."""
    if is_end:
        return {"text": "", "end_of_response": True}
    text = piece.decode("utf-8", "replace")
    return {"text": text, **({"bytes": piece.hex()} if text.encode() != piece else {})}


def error_json(schema: str, file: str, error: ShiftLensError) -> Json:
    """The object of a file that could not be analysed, in place of one of this schema."""
    line = error.line if isinstance(error, TranscriptError) else None
    message = f"{error.problem} {error.remedy}".strip()
    return {"schema": schema, "file": file, "error": {"kind": type(error).__name__, "line": line, "message": message}}


def shares_json(of: Shares) -> Json:
    """The share of each class; null where no position has a class."""
    return {shift.label: getattr(of, shift.label) if of.tokens else None for shift in CLASSES}

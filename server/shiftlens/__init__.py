"""ShiftLens: see which tokens of a model's response alignment shifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiftlens.api import analyze

__all__ = ["__version__", "analyze"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`analyze` is looked up on first use: the server must not pay for it at start."""
    if name == "analyze":
        from shiftlens.api import analyze

        return analyze
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

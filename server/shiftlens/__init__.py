"""ShiftLens: see which tokens of a model's response alignment shifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiftlens.api import analyze, contexts, cross_sample, noise_floor

__all__ = ["__version__", "analyze", "contexts", "cross_sample", "noise_floor"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """The functions are looked up on first use: the server must not pay for them at start."""
    if name in ("analyze", "contexts", "cross_sample", "noise_floor"):
        from shiftlens import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

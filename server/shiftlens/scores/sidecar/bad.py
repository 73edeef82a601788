"""What reading a sidecar raises inside this room."""

from __future__ import annotations


class BadSidecar(ValueError):
    """What is wrong with a sidecar, to follow its name."""

"""What the first file needs and the answer to `initialize` does not, done between the two."""

from __future__ import annotations

import importlib

from shiftlens.engine.sharing.endpoint import program_build
from shiftlens.engine.sharing.joining import SUPPORTED

_LATER = ("shiftlens.transcripts.detection",)


def warm_up() -> None:
    """Import what is imported late, and see which build of the program this is before it may be changed on disk."""
    for name in _LATER:
        importlib.import_module(name)
    if SUPPORTED:
        program_build()

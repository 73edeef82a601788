"""The choices that hold for a whole engine process, and so divide shared engines."""

from __future__ import annotations

import msgspec

from shiftlens.options.pair import AUTO_LIBRARY, PairSpec


class EngineMode(msgspec.Struct, frozen=True):
    """What every job of one shared engine has in common, beside program and environment.

    A pickle runs code in the process that opens it, so a client that allows none must not share a process with one that
    does: its numbers would come from a process that has run that code. What takes matrix products is set for a whole
    process, and rounds in its own way.

    The rest of a `PairSpec` travels with each job: the engine keeps models apart by device and dtype, and fetches a
    model only for a job that allows it.
    """

    allow_pickle: bool = False
    matrix_library: str = AUTO_LIBRARY

    @classmethod
    def of(cls, pair: PairSpec) -> EngineMode:
        """The mode of the engine that may load a pair."""
        return cls(allow_pickle=pair.allow_pickle, matrix_library=pair.matrix_library)

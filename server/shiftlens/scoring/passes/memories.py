"""What earlier passes of all pairs left behind, bounded as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from shiftlens.scoring.passes.memory import DEFAULT_LIMIT_BYTES, Owner, PassMemory

Unit = TypeVar("Unit")


class PassMemories(Generic[Unit]):
    """The memory of each pair of models, told by what it is made of. It goes with any of that.

    All of them together hold at most `limit_bytes`: the pair that was used least recently lets go of passes first.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._memories: dict[tuple[tuple[Unit, ...], tuple[Unit, ...]], PassMemory] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all caches and numbers kept."""
        return sum(memory.nbytes for memory in self._memories.values())

    def of(self, base: tuple[Unit, ...], aligned: tuple[Unit, ...]) -> PassMemory:
        """The memory of a pair, which counts as used now."""
        key = (base, aligned)
        memory = self._memories.pop(key, None) or PassMemory(self.limit_bytes, self._trim)
        self._memories[key] = memory
        return memory

    def drop(self, unit: Unit) -> None:
        """Let go of what the passes of all pairs with a model left behind."""
        self._memories = {key: each for key, each in self._memories.items() if unit not in (*key[0], *key[1])}

    def forget(self, is_gone: Callable[[Owner], bool]) -> None:
        """Let go of the passes of owners that are gone."""
        for memory in self._memories.values():
            memory.forget(is_gone)

    def _trim(self) -> None:
        for memory in list(self._memories.values()):
            while self.nbytes > self.limit_bytes and memory.drop_oldest():
                pass

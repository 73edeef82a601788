"""How fast models elsewhere answer."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rate:
    """Counts the tokens of the texts that were answered since the first one was asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._tokens = 0

    def begin(self) -> None:
        """The first text is asked for, if that was not said before."""
        if self._began is None:
            self._began = self._clock()

    def add(self, tokens: int) -> None:
        """A text of so many tokens was answered."""
        self._tokens += tokens

    @property
    def in_words(self) -> str:
        """Tokens in a second, as in `1,240 tokens/s`; "" before there is an answer."""
        if self._began is None or not self._tokens:
            return ""
        return f"{self._tokens / max(self._clock() - self._began, 1e-3):,.0f} tokens/s"

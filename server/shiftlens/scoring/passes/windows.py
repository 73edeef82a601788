"""Passes longer than a model: fed in windows, each of which begins with the end of the one before.

`backends.windows` says where they lie.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import torch

from shiftlens.backends.windows import Window, windows
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import RememberedSide
from shiftlens.scoring.passes.plan import SidePlan
from shiftlens.scoring.passes.stream import HiddenStateStream


class WindowedStream:
    """As `HiddenStateStream`, for a pass that is longer than the model; it leaves the cache of its last window."""

    def __init__(
        self,
        model: CausalModel,
        plan: SidePlan,
        most: int,
        chunk: int,
        check: Callable[[], None] = lambda: None,
        *,
        resume: RememberedSide | None = None,
        done: int = 0,
    ) -> None:
        self._model, self._plan, self._chunk, self._check = model, plan, chunk, check
        self._windows = windows(len(plan.ids), most, plan.lead)
        self._resume = resume
        self._stream: HiddenStateStream | None = None
        self._first = self._last = 0
        self._done = done

    @torch.inference_mode()
    def upto(self, count: int) -> torch.Tensor:
        """Hidden states [r, D] of the positions not yet handed out, before the `count`-th."""
        found: list[torch.Tensor] = []
        while self._done < count:
            while self._done >= self._last:
                self._open(next(self._windows))
            upto = min(count, self._last)
            if self._stream is not None:
                found.append(self._stream.upto(upto - self._first))
            self._done = upto
        return found[0] if len(found) == 1 else torch.cat(found)

    def remember(self) -> RememberedSide:
        """What a later pass can go on from."""
        read = self._plan.positions[self._done - 1] + 1 if self._done else 0
        last = self._resume if self._stream is None else self._stream.remember()
        if last is None or last.lent:
            return RememberedSide(self._plan, read, (), None)
        return RememberedSide(self._plan, read, last.cached, last.cache)

    def _open(self, window: Window) -> None:
        """Begin a window; one without a wanted position costs nothing."""
        plan = self._plan
        self._first, self._last = (bisect_left(plan.positions, at) for at in (window.first, window.end))
        if self._done >= self._last:
            return
        inside = slice(self._first, self._last)
        ids = (*plan.ids[: window.lead], *plan.ids[window.start : window.end])
        positions = tuple(position - window.start + window.lead for position in plan.positions[inside])
        side = SidePlan(ids, positions, plan.targets[inside])
        # The earlier pass's last window may be another one than this; then only its first ids are the same.
        resume, self._resume, self._stream = self._resume, None, None
        done = self._done - self._first
        self._stream = HiddenStateStream(self._model, side, self._chunk, self._check, resume=resume, done=done)

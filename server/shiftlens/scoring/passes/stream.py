"""Feeding one model the ids of a pass, a chunk at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import torch

from shiftlens.scoring.passes.caches import make_room
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import RememberedSide, common_length
from shiftlens.scoring.passes.plan import SidePlan


class HiddenStateStream:
    """Hidden states of the wanted positions of a pass under one model, in order.

    The first `done` positions are not wanted any more. At most `chunk` ids are fed at a time; `check` is called between
    and may raise.
    """

    def __init__(
        self,
        model: CausalModel,
        plan: SidePlan,
        chunk: int,
        check: Callable[[], None] = lambda: None,
        *,
        resume: RememberedSide | None = None,
        done: int = 0,
    ) -> None:
        self.model = model
        self._plan = plan
        self._ids = torch.tensor(plan.ids, dtype=torch.int64, device=model.device)
        self._chunk = min(chunk, model.chunk or chunk) if model.keeps_cache else len(plan.ids)
        self._check = check
        self._done = done
        self._cache: Any = None
        self._fed = 0
        if resume is not None:
            needed = plan.positions[done] if done < len(plan.positions) else len(plan.ids)
            self._fed = min(common_length(resume.cached, plan.ids), needed)
            self._cache = resume.first(self._fed) if self._fed else None

    @torch.inference_mode()
    def upto(self, count: int) -> torch.Tensor:
        """Hidden states [r, D] of the positions not yet handed out, before the `count`-th."""
        positions = self._plan.positions
        end = positions[count - 1] + 1 if self.model.keeps_cache else len(self._ids)
        found: list[torch.Tensor] = []
        while self._fed < end:
            self._check()
            upto = min(end, self._fed + self._chunk)
            if self._fed:
                make_room(self._cache, len(self._ids))
            hidden, self._cache = self.model.hidden_states(self._ids[self._fed : upto].unsqueeze(0), self._cache)
            first, last = (bisect_left(positions, at, self._done, count) for at in (self._fed, upto))
            found.append(hidden[0, [position - self._fed for position in positions[first:last]]])
            self._fed = upto
        self._done = count
        return found[0] if len(found) == 1 else torch.cat(found)

    def remember(self) -> RememberedSide:
        """What a later pass can go on from."""
        read = max(self._fed, self._plan.positions[self._done - 1] + 1 if self._done else 0)
        return RememberedSide(self._plan, read, self._plan.ids[: self._fed], self._cache)

"""One model that goes on from ids, a token at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from shiftlens.scoring.passes.batches import limits_of
from shiftlens.scoring.passes.caches import can_be_cut, first_of, make_room
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import RememberedSide
from shiftlens.scoring.passes.plan import SidePlan
from shiftlens.scoring.passes.stream import HiddenStateStream


@dataclass(slots=True)
class Tail:
    """What a model makes of the ids so far: the logits float32 [V] of the next. `cache` is this tail's own."""

    model: CausalModel
    ids: tuple[int, ...]
    logits: torch.Tensor
    cache: Any

    def fork(self, room: int) -> Tail:
        """Another tail that goes on from the same ids, with room for so many more; this one stays as it is."""
        if self.cache is None:
            return Tail(self.model, self.ids, self.logits, None)
        if can_be_cut(self.cache):
            cache = first_of(self.cache, len(self.ids))
            make_room(cache, len(self.ids) + room)
        else:
            cache = copy.deepcopy(self.cache)
        return Tail(self.model, self.ids, self.logits, cache)

    @torch.inference_mode()
    def feed(self, token: int) -> None:
        """Go on by one id."""
        self.ids = (*self.ids, token)
        fed = (token,) if self.model.keeps_cache else self.ids
        ids = torch.tensor([fed], dtype=torch.int64, device=self.model.device)
        states, self.cache = self.model.hidden_states(ids, self.cache if self.model.keeps_cache else None)
        self.logits = _logits(self.model, states[0, -1:])
        if not self.model.keeps_cache:
            self.cache = None


def tail_of(
    model: CausalModel, ids: tuple[int, ...], check: Callable[[], None], resume: RememberedSide | None = None
) -> Tail:
    """Feed ids, in chunks between which `check` may raise; those that an earlier pass left behind are not fed again."""
    plan = SidePlan(ids, (len(ids) - 1,), (0,))
    stream = HiddenStateStream(model, plan, limits_of(model.device, model.parameters).chunk, check, resume=resume)
    states = stream.upto(1)
    return Tail(model, ids, _logits(model, states), stream.remember().cache if model.keeps_cache else None)


@torch.inference_mode()
def _logits(model: CausalModel, states: torch.Tensor) -> torch.Tensor:
    (logits,) = model.tiles(states, [slice(0, model.vocabulary)])
    return logits[0]

"""Feeding one model: a pass by itself in chunks, or several short ones at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from shiftlens.scoring.passes.batches import padded
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import RememberedSide
from shiftlens.scoring.passes.plan import SidePlan
from shiftlens.scoring.passes.stream import HiddenStateStream
from shiftlens.scoring.passes.windows import WindowedStream


def open_stream(
    model: CausalModel,
    side: SidePlan,
    chunk: int,
    check: Callable[[], None],
    *,
    resume: RememberedSide | None = None,
    done: int = 0,
) -> HiddenStateStream | WindowedStream:
    """A stream that feeds one model `chunk` ids at a time; in windows where the ids are more than it takes."""
    most = model.max_positions
    if most is not None and len(side.ids) > most:
        return WindowedStream(model, side, most, chunk, check, resume=resume, done=done)
    return HiddenStateStream(model, side, chunk, check, resume=resume, done=done)


def hidden_states_together(model: CausalModel, sides: Sequence[SidePlan]) -> torch.Tensor:
    """Hidden states [r, D] of the positions of several passes that are fed at once, one after another.

    The shorter ones are filled up at their ends, where a causal model does not look back from.
    """
    ids = torch.tensor(padded([side.ids for side in sides]), dtype=torch.int64, device=model.device)
    hidden, _ = model.hidden_states(ids, None, keep=False)
    wanted = [(at, position) for at, side in enumerate(sides) for position in side.positions]
    return hidden[[at for at, _ in wanted], [position for _, position in wanted]]

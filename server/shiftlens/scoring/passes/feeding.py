"""Feeding one model: a pass by itself in chunks, or several short ones at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from shiftlens.scoring.passes.batches import padded
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import RememberedSide
from shiftlens.scoring.passes.plan import SidePlan
from shiftlens.scoring.passes.stream import RowStream
from shiftlens.scoring.passes.windows import WindowedStream


def open_stream(
    model: CausalModel,
    side: SidePlan,
    chunk: int,
    check: Callable[[], None],
    *,
    resume: RememberedSide | None = None,
    done: int = 0,
) -> RowStream | WindowedStream:
    """Hidden states of one model's rows, fed `chunk` ids at a time; in windows where they are more than it takes."""
    most = model.positions
    if most is not None and len(side.ids) > most:
        return WindowedStream(model, side, most, chunk, check, resume=resume, done=done)
    return RowStream(model, side, chunk, check, resume=resume, done=done)


def states_together(model: CausalModel, sides: Sequence[SidePlan]) -> torch.Tensor:
    """Hidden states [r, D] of the rows of several passes that are fed at once, one after another.

    The shorter ones are filled up at their ends, where a causal model does not look back from.
    """
    ids = torch.tensor(padded([side.ids for side in sides]), dtype=torch.int64, device=model.device)
    states, _ = model.states(ids, None, keep=False)
    places = [(at, row) for at, side in enumerate(sides) for row in side.rows]
    return states[[at for at, _ in places], [row for _, row in places]]

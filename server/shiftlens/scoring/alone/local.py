"""A model in memory as a backend: scored by itself, over the whole vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch

from shiftlens.backends.protocol import Capabilities, SideInput, SideNumbers
from shiftlens.scores.description import ModelDescription
from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.head import Blocks, side_numbers
from shiftlens.scoring.numbers.tensors import SideTensors, joined_side
from shiftlens.scoring.numbers.threads import threads_of, use_threads
from shiftlens.scoring.opening.opened import OpenedModel
from shiftlens.scoring.passes.batches import batches, limits_of
from shiftlens.scoring.passes.feeding import hidden_states_together, open_stream
from shiftlens.scoring.passes.plan import PassPlan, SidePlan


class LocalBackend:
    """See `backends.protocol.Backend`. The model has to stay in memory while this is used.

    Its products are taken from `library` ("torch" or "onednn").
    """

    def __init__(self, model: OpenedModel, library: str) -> None:
        self._model, self._library = model, library
        self._threads = threads_of([model.loaded.model])

    def activate(self) -> None:
        """Have this process compute as this model does. Other jobs may have been at work since."""
        products.use(self._library)
        use_threads(self._threads)

    @property
    def identity(self) -> ModelDescription:
        return self._model.description

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def score(
        self, inputs: Sequence[SideInput], k: int, check: Callable[[], None]
    ) -> Generator[tuple[int, SideNumbers], None, None]:
        """Short inputs of nearly one length are fed together, each long one by itself in chunks."""
        causal = self._model.causal
        limits = limits_of(causal.device, causal.parameters)
        blocks = Blocks(causal.vocabulary, causal.device)
        for group in batches([_plan(i, each) for i, each in enumerate(inputs)], limits.batch, causal.max_positions):
            check()
            self.activate()
            if len(group) == 1:
                tensors = self._one(group[0].aligned, limits.chunk, blocks, k, check)
            else:
                tensors = self._together([plan.aligned for plan in group], blocks, k, check)
            start = 0
            for plan in group:
                part = slice(start, start + plan.position_count)
                yield plan.members[0], as_columns(tensors.map(lambda column, part=part: column[part]))  # type: ignore[misc]
                start += plan.position_count

    @torch.inference_mode()
    def _one(self, side: SidePlan, chunk: int, blocks: Blocks, k: int, check: Callable[[], None]) -> SideTensors:
        causal = self._model.causal
        stream = open_stream(causal, side, chunk, check)
        found: list[SideTensors] = []
        count = len(side.positions)
        ends = [*range(chunk, count, chunk), count] if causal.keeps_cache else [count]
        for start, end in zip([0, *ends], ends, strict=False):
            targets = torch.tensor(side.targets[start:end], dtype=torch.int64, device=causal.device)
            found.append(side_numbers(causal, blocks, k, stream.upto(end), targets, check=check)[0])
        return joined_side(found)

    @torch.inference_mode()
    def _together(self, sides: Sequence[SidePlan], blocks: Blocks, k: int, check: Callable[[], None]) -> SideTensors:
        causal = self._model.causal
        hidden_states = hidden_states_together(causal, sides)
        check()
        ids = [target for side in sides for target in side.targets]
        targets = torch.tensor(ids, dtype=torch.int64, device=causal.device)
        return side_numbers(causal, blocks, k, hidden_states, targets, check=check)[0]


def as_columns(tensors: SideTensors) -> SideNumbers:
    """Tensors on the CPU as columns of bytes."""

    def column(values: torch.Tensor, dtype: torch.dtype) -> bytes:
        return values.to(dtype).contiguous().numpy().tobytes()

    return SideNumbers(
        k=tensors.top_ids.shape[-1],
        logprob=column(tensors.logprob, torch.float32),
        rank=column(tensors.rank, torch.int32),
        entropy=column(tensors.entropy, torch.float32),
        top_ids=column(tensors.top_ids, torch.int32),
        top_logprobs=column(tensors.top_logprobs, torch.float32),
    )


def _plan(index: int, asked: SideInput) -> PassPlan:
    first = len(asked.prefix_ids) - 1
    positions = tuple(range(first, first + asked.rows))
    side = SidePlan((*asked.prefix_ids, *asked.ids), positions, (*asked.ids, asked.end_id), asked.lead)
    return PassPlan(side, side, (index,), (len(positions),))

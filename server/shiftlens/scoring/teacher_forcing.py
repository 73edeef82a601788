"""One teacher-forced pass of a response through both models, in lockstep, yielding columns as they come.

Both models' logits of the same rows are in memory only for a block of rows at a time, so memory does not grow with
n x V.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from shiftlens.models.prepare import Prepared
from shiftlens.scoring.causal import CausalModel
from shiftlens.scoring.memory import PassMemory, RememberedPass, common_length
from shiftlens.scoring.rows import PairRows, joined, pair_rows
from shiftlens.scoring.stream import RowStream

HEAD_ROWS = 64
FIRST_STRETCH = 64
STRETCH = 256
PART_ELEMENTS = 2_500_000


class RowCollector:
    """The rows scored so far, as growing columns on the CPU."""

    def __init__(self) -> None:
        self._blocks: list[PairRows] = []
        self.rows = 0

    def add(self, block: PairRows) -> None:
        self._blocks.append(block.map(torch.Tensor.cpu))
        self.rows += len(block.kl)

    def all(self) -> PairRows:
        """Everything so far as one block."""
        return joined(self._blocks)


@torch.inference_mode()
def score_rows(
    base: CausalModel,
    aligned: CausalModel,
    prepared: Prepared,
    k: int,
    check: Callable[[], None] = lambda: None,
    memory: PassMemory | None = None,
) -> Iterator[RowCollector]:
    """Score all rows of a response, the end included; yields the collector after each stretch.

    `check` is called between stretches and blocks and may raise to stop the pass. With a `memory`, ids that an earlier
    pass began with are not fed again, and what this one fed is left there, also when it is stopped.
    """
    rows = len(prepared.ids) + 1
    base_ids = _targets(prepared.ids, prepared.base.end_id, base.device)
    aligned_ids = _targets(prepared.ids, prepared.aligned.end_id, aligned.device)
    earlier = _earlier_pass(memory, prepared)
    collector = RowCollector()
    done = _reusable_rows(earlier, prepared, k)
    if earlier is not None and earlier.rows is not None and done:
        collector.add(earlier.rows.map(lambda column: column[:done]))
    resume = (earlier.base, earlier.aligned) if earlier is not None else (None, None)
    base_stream, aligned_stream = (
        RowStream(model, side.prefix_ids, prepared.ids, check, resume=left, first_row=done)
        for model, side, left in zip((base, aligned), (prepared.base, prepared.aligned), resume, strict=True)
    )
    try:
        for end in _stretches(done, rows, whole=not (base.keeps_cache and aligned.keeps_cache)):
            base_states, aligned_states = base_stream.upto(end), aligned_stream.upto(end)
            for start in range(done, end, HEAD_ROWS):
                check()
                stop = min(end, start + HEAD_ROWS)
                block = slice(start - done, stop - done)
                base_logits = base.logits(base_states[block]).contiguous()
                aligned_logits = aligned.logits(aligned_states[block]).contiguous()
                for part in _parts(stop - start, base_logits.shape[-1]):
                    own = slice(start + part.start, start + part.stop)
                    collector.add(
                        pair_rows(base_logits[part], aligned_logits[part], base_ids[own], aligned_ids[own], k)
                    )
            done = end
            yield collector
    finally:
        if memory is not None:
            kept = collector.all() if collector.rows else None
            memory.keep(RememberedPass(base_stream.remember(), aligned_stream.remember(), prepared.ids, k, kept))


def _earlier_pass(memory: PassMemory | None, prepared: Prepared) -> RememberedPass | None:
    if memory is None:
        return None
    return memory.take((*prepared.base.prefix_ids, *prepared.ids), (*prepared.aligned.prefix_ids, *prepared.ids))


def _reusable_rows(earlier: RememberedPass | None, prepared: Prepared, k: int) -> int:
    """How many first rows of an earlier pass hold here: same contexts, same ids so far, same own token."""
    if earlier is None or earlier.rows is None or earlier.k != k:
        return 0
    for side, now in ((earlier.base, prepared.base), (earlier.aligned, prepared.aligned)):
        if side.prefix_length != len(now.prefix_ids) or side.ids[: side.prefix_length] != now.prefix_ids:
            return 0
    return min(common_length(earlier.response_ids, prepared.ids), len(earlier.rows.kl))


def _stretches(done: int, rows: int, *, whole: bool) -> list[int]:
    """Where each stretch of rows after `done` ends: a short one first, so that the first colours come early."""
    if whole or rows - done <= 2 * FIRST_STRETCH:
        return [rows]
    ends = [done + FIRST_STRETCH]
    while ends[-1] < rows:
        ends.append(min(rows, ends[-1] + STRETCH))
    return ends


def _parts(rows: int, vocabulary: int) -> list[slice]:
    """A block of logits in parts whose temporary tensors stay small.

    Measured by themselves on 2 cores, the numbers of 16 rows of 151,936 took 10.5 ms and those of 64 rows at once
    196 ms, which may be large allocations being faulted in anew.
    """
    size = max(1, PART_ELEMENTS // vocabulary)
    return [slice(start, min(rows, start + size)) for start in range(0, rows, size)]


def _targets(ids: Sequence[int], end_id: int, device: torch.device) -> torch.Tensor:
    return torch.tensor([*ids, end_id], dtype=torch.int64, device=device)

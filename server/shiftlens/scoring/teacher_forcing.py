"""One teacher-forced pass of a response through both models, in lockstep, yielding columns as they come.

Both models' logits of the same rows are in memory only for a block of rows at a time, so memory does not grow with
n x V.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from shiftlens.models.prepare import Prepared
from shiftlens.scoring.causal import CausalModel
from shiftlens.scoring.rows import PairRows, SideRows, pair_rows
from shiftlens.scoring.stream import RowStream

HEAD_ROWS = 64
FIRST_STRETCH = 64
STRETCH = 256


class RowCollector:
    """The rows scored so far, as growing columns on the CPU."""

    def __init__(self) -> None:
        self._blocks: list[PairRows] = []
        self.rows = 0

    def add(self, block: PairRows) -> None:
        self._blocks.append(_to_cpu(block))
        self.rows += len(block.kl)

    def all(self) -> PairRows:
        """Everything so far as one block."""
        return PairRows(
            base=_joined([b.base for b in self._blocks]),
            aligned=_joined([b.aligned for b in self._blocks]),
            kl=torch.cat([b.kl for b in self._blocks]),
            base_rank_of_aligned_top=torch.cat([b.base_rank_of_aligned_top for b in self._blocks]),
        )


@torch.inference_mode()
def score_rows(
    base: CausalModel,
    aligned: CausalModel,
    prepared: Prepared,
    k: int,
    check: Callable[[], None] = lambda: None,
) -> Iterator[RowCollector]:
    """Score all rows of a response, the end included; yields the collector after each stretch.

    `check` is called between stretches and blocks and may raise to stop the pass.
    """
    rows = len(prepared.ids) + 1
    base_ids = _targets(prepared.ids, prepared.base.end_id, base.device)
    aligned_ids = _targets(prepared.ids, prepared.aligned.end_id, aligned.device)
    base_stream = RowStream(base, prepared.base.prefix_ids, prepared.ids, check)
    aligned_stream = RowStream(aligned, prepared.aligned.prefix_ids, prepared.ids, check)
    collector = RowCollector()
    done = 0
    for end in _stretches(rows, whole=not (base.keeps_cache and aligned.keeps_cache)):
        base_states, aligned_states = base_stream.upto(end), aligned_stream.upto(end)
        for start in range(done, end, HEAD_ROWS):
            check()
            stop = min(end, start + HEAD_ROWS)
            block = slice(start - done, stop - done)
            collector.add(
                pair_rows(
                    base.logits(base_states[block]).contiguous(),
                    aligned.logits(aligned_states[block]).contiguous(),
                    base_ids[start:stop],
                    aligned_ids[start:stop],
                    k,
                )
            )
        done = end
        yield collector


def _stretches(rows: int, *, whole: bool) -> list[int]:
    """Where each stretch of rows ends: a short one first, so that the first colours come early."""
    if whole:
        return [rows]
    ends = [min(rows, FIRST_STRETCH)]
    while ends[-1] < rows:
        ends.append(min(rows, ends[-1] + STRETCH))
    return ends


def _targets(ids: Sequence[int], end_id: int, device: torch.device) -> torch.Tensor:
    return torch.tensor([*ids, end_id], dtype=torch.int64, device=device)


def _to_cpu(block: PairRows) -> PairRows:
    return PairRows(
        _side_to_cpu(block.base), _side_to_cpu(block.aligned), block.kl.cpu(), block.base_rank_of_aligned_top.cpu()
    )


def _side_to_cpu(side: SideRows) -> SideRows:
    return SideRows(
        side.logprob.cpu(), side.rank.cpu(), side.entropy.cpu(), side.top_ids.cpu(), side.top_logprobs.cpu()
    )


def _joined(sides: Sequence[SideRows]) -> SideRows:
    return SideRows(
        torch.cat([s.logprob for s in sides]),
        torch.cat([s.rank for s in sides]),
        torch.cat([s.entropy for s in sides]),
        torch.cat([s.top_ids for s in sides]),
        torch.cat([s.top_logprobs for s in sides]),
    )

"""Scoring one response, and comparing rows, for tests that are about rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from shiftlens.models.prepare import Prepared
from shiftlens.scoring.causal import CausalModel
from shiftlens.scoring.head import Heads
from shiftlens.scoring.memory import PassMemory
from shiftlens.scoring.plan import plan_passes
from shiftlens.scoring.rows import PairRows
from shiftlens.scoring.teacher_forcing import RowCollector, Scorer

NATS = 1e-4


def score_rows(
    base: CausalModel,
    aligned: CausalModel,
    prepared: Prepared,
    k: int,
    check: Callable[[], None] = lambda: None,
    memory: PassMemory | None = None,
) -> Iterator[RowCollector]:
    """The rows of one response as they come."""
    (plan,) = plan_passes([prepared])
    return Scorer(base, aligned, Heads(base, aligned, k), k, memory).score(plan, check)


def assert_same(these: PairRows, others: PairRows) -> None:
    """The same ranks, and logprobs within NATS."""
    assert len(these.kl) == len(others.kl)
    for this, other in ((these.base, others.base), (these.aligned, others.aligned)):
        torch.testing.assert_close(this.logprob, other.logprob, atol=NATS, rtol=0)
        torch.testing.assert_close(this.entropy, other.entropy, atol=NATS, rtol=0)
        torch.testing.assert_close(this.top_logprobs, other.top_logprobs, atol=NATS, rtol=0)
        assert (this.rank != other.rank).sum() == 0
    torch.testing.assert_close(these.kl, others.kl, atol=NATS, rtol=NATS)
    assert torch.equal(these.base_rank_of_aligned_top, others.base_rank_of_aligned_top)

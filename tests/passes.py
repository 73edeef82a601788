"""Scoring one response, and comparing rows, for tests that are about rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest
import torch

from shiftlens.options.pair import PairSpec
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.numbers.head import Heads
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import PassMemory
from shiftlens.scoring.passes.plan import plan_passes
from shiftlens.scoring.passes.teacher_forcing import PositionCollector, Scorer
from shiftlens.scoring.session import Session

NATS = 1e-4


def opened_pair(spec: PairSpec, session: Session | None = None) -> OpenedPair:
    """A pair in memory, which stays there as long as the test holds it."""
    with (session or Session()).open(spec) as pair:
        return pair


def score_rows(
    base: CausalModel,
    aligned: CausalModel,
    prepared: Prepared,
    k: int,
    check: Callable[[], None] = lambda: None,
    memory: PassMemory | None = None,
) -> Iterator[PositionCollector]:
    """The rows of one response as they come."""
    (plan,) = plan_passes([prepared])
    return Scorer(base, aligned, Heads(base, aligned, k), k, memory).score(plan, check)


def assert_same(these: PairTensors, others: PairTensors, *, equal_nan: bool = False) -> None:
    """The same ranks, and logprobs within NATS; with `equal_nan`, what is no number in both is the same too."""
    assert len(these.kl) == len(others.kl)
    near = functools.partial(torch.testing.assert_close, atol=NATS, equal_nan=equal_nan)
    for this, other in ((these.base, others.base), (these.aligned, others.aligned)):
        near(this.logprob, other.logprob, rtol=0)
        near(this.entropy, other.entropy, rtol=0)
        near(this.top_logprobs, other.top_logprobs, rtol=0)
        assert (this.rank != other.rank).sum() == 0
    near(these.kl, others.kl, rtol=NATS)
    assert torch.equal(these.base_rank_of_aligned_top, others.base_rank_of_aligned_top)


def ids_fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ids the models are fed at each time from now on."""
    fed: list[int] = []
    states = CausalModel.hidden_states

    def counted(self: CausalModel, ids: torch.Tensor, cache: object, **keep: bool) -> object:
        fed.append(ids.numel())
        return states(self, ids, cache, **keep)

    monkeypatch.setattr(CausalModel, "hidden_states", counted)
    return fed

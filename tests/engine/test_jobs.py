"""The engine's worker in this process: what it feeds to the models."""

from __future__ import annotations

import pytest
import torch

from shiftlens.engine.jobs import Worker
from shiftlens.engine.protocol import Done, Reply, Score, Scored
from shiftlens.models.conversation import ContextTurn, ResponseToScore
from shiftlens.models.pair import PairSpec, ScoreOptions
from shiftlens.scoring.causal import CausalModel

TEXT = "The quick brown fox jumps over the lazy dog. Great question! " * 6


def test_an_edit_at_the_end_feeds_only_the_end(tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    states = CausalModel.states

    def counted(self: CausalModel, ids: torch.Tensor, cache: object, **keep: bool) -> object:
        fed.append(ids.numel())
        return states(self, ids, cache, **keep)

    monkeypatch.setattr(CausalModel, "states", counted)
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _job: False)
    worker.do(_score(1, tiny_pair, TEXT))
    whole = sum(fed)
    fed.clear()
    worker.do(_score(2, tiny_pair, TEXT[:-10] + "blue sky"))
    assert sum(fed) < whole / 4
    assert [type(reply) for reply in replies if isinstance(reply, (Done, Scored))][-1] is Done


def _score(job: int, pair: PairSpec, text: str) -> Score:
    response = ResponseToScore(turns=(ContextTurn("user", "Why?"),), text=text, source_format="labels")
    return Score(job=job, pair=pair, options=ScoreOptions(), responses=(response,))

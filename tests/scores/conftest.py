"""Results of made-up numbers, in stores of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shiftlens.scores.records import Comparison, ScoredResponse, ScoringModel, SideScores
from shiftlens.scores.store import ResultStore


def make_scored(
    filling: bytes = b"\x01\x02\x03\x04", text: str = "# Query:", base: str = "f", aligned: str = "f"
) -> ScoredResponse:
    """Scores that hold `filling` as every column, of the models with these fingerprints."""
    side = SideScores(
        model=ScoringModel(fingerprint=base, vocabulary=32_000),
        prefix_text=text,
        prefix_ids=(5, 6),
        end_id=2,
        k=1,
        ids=filling,
        byte_ends=filling,
        special=b"\0",
        logprob=filling,
        rank=filling,
        entropy=filling,
        top_ids=filling,
        top_logprobs=filling,
        pieces={5: b"\xff\xfe", 6: "é".encode()},
        decoded={5: "\ufffd"},
    )
    comparison = Comparison(
        base_rank_of_aligned_top=filling,
        kl=filling,
        boundary=b"\1",
        notes=("A note.",),
        loss_mask=b"\2",
    )
    other = replace(side, model=replace(side.model, fingerprint=aligned))
    return ScoredResponse(base=side, aligned=other, comparison=comparison)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "cache" / "results.sqlite3")


@pytest.fixture
def scored() -> Callable[..., ScoredResponse]:
    return make_scored

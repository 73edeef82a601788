"""Results of made-up numbers, in stores of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shiftlens.scores.columns import ScoredResponse, SideColumns
from shiftlens.scores.store import ResultStore


def make_scored(filling: bytes = b"\x01\x02\x03\x04", text: str = "# Query:") -> ScoredResponse:
    """Scores that hold `filling` as every column."""
    side = SideColumns(
        prefix_text=text,
        prefix_ids=(5, 6),
        end_id=2,
        logprob=filling,
        rank=filling,
        entropy=filling,
        top_ids=filling,
        top_logprobs=filling,
        vocabulary=32_000,
    )
    return ScoredResponse(
        k=1,
        ids=filling,
        byte_ends=filling,
        special=b"\0",
        boundary=b"\1",
        base=side,
        aligned=side,
        base_rank_of_aligned_top=filling,
        kl=filling,
        pieces={5: b"\xff\xfe", 6: "é".encode()},
        decoded={5: "\ufffd"},
        notes=("A note.",),
    )


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "cache" / "results.sqlite3")


@pytest.fixture
def scored() -> Callable[..., ScoredResponse]:
    return make_scored

"""Fixtures that several rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftlens.models.pair import PairSpec
from tiny_models import save_pair


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """A random base and aligned model of one byte-level tokenizer, on the CPU."""
    base, aligned = save_pair(Path(tmp_path_factory.mktemp("pair")))
    return PairSpec(base=str(base), aligned=str(aligned), device="cpu")

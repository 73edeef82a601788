"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shiftlens.models.pair import PairSpec
from shiftlens.results.location import CACHE_DIR_VARIABLE
from tiny_models import save_pair


@pytest.fixture(scope="session", autouse=True)
def _a_cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, nor a process that one starts, writes to the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """A random base and aligned model of one byte-level tokenizer, on the CPU."""
    base, aligned = save_pair(Path(tmp_path_factory.mktemp("pair")))
    return PairSpec(base=str(base), aligned=str(aligned), device="cpu")

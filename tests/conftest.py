"""Fixtures that several rooms share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE
from shiftlens.options.pair import PairSpec
from shiftlens.scores.location import CACHE_DIR_VARIABLE
from tiny_models import save_pair

# A deadline of an example would be a timed assert, which a busy machine fails.
settings.register_profile("shiftlens", deadline=None)
settings.load_profile("shiftlens")


@pytest.fixture(scope="session", autouse=True)
def _a_cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, nor a process that one starts, writes to the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _engines_of_our_own() -> Iterator[None]:
    """No test shares an engine with the user; one that is left without clients ends at once."""
    # Not a folder of pytest's: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="shiftlens-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_DIR_VARIABLE, folder)
        patch.setenv(LINGER_VARIABLE, "0")
        yield


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """A random base and aligned model of one byte-level tokenizer, on the CPU."""
    base, aligned = save_pair(Path(tmp_path_factory.mktemp("pair")))
    return PairSpec(base=str(base), aligned=str(aligned), device="cpu")

"""Servers over real stdio, with the tiny random pair."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lsp.lsp_client import EditorClient, started
from shiftlens.options.pair import PairSpec
from shiftlens.scores.location import CACHE_DIR_VARIABLE


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all servers: those with another one share no engine."""
    return tmp_path_factory.mktemp("lsp-cache")


@pytest.fixture(autouse=True)
def _no_scores_of_other_tests(_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that start in this test find nothing that was scored before."""
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(_cache))
    _forget_scores(_cache)


def _forget_scores(cache: Path) -> None:
    # Which library is the quicker one (`matrix-library`) is no score, and takes time to find out again.
    for kept in cache.glob("*.sqlite3*"):
        if kept.is_dir():
            shutil.rmtree(kept, ignore_errors=True)
        else:
            # A server that ends removes what SQLite kept beside its file.
            kept.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def tiny_settings(tiny_pair: PairSpec) -> dict[str, Any]:
    """The settings of a user who works with the tiny pair."""
    return {"base": tiny_pair.base, "aligned": tiny_pair.aligned, "device": "cpu", "debounceMs": 20}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(tiny_settings: dict[str, Any], _cache: Path) -> AsyncIterator[EditorClient]:
    """One server for all tests of a file (its engine takes seconds to start); each test opens its own documents."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR_VARIABLE, str(_cache))
        _forget_scores(_cache)
        client = await started(settings=dict(tiny_settings))
    yield client
    assert not client.bad_messages
    assert await client.leave() == 0

"""Servers over real stdio, with the tiny random pair."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lsp.lsp_client import EditorClient, started
from shiftlens.options.pair import PairSpec
from shiftlens.scores.location import CACHE_DIR_VARIABLE

_caches = itertools.count()


def _fresh_cache(patch: pytest.MonkeyPatch, factory: pytest.TempPathFactory) -> None:
    """Servers that start from now on find nothing that was scored before."""
    patch.setenv(CACHE_DIR_VARIABLE, str(Path(factory.getbasetemp()) / f"lsp-cache-{next(_caches)}"))


@pytest.fixture(autouse=True)
def _cache_of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    _fresh_cache(monkeypatch, tmp_path_factory)


@pytest.fixture(scope="session")
def tiny_settings(tiny_pair: PairSpec) -> dict[str, Any]:
    """The settings of a user who works with the tiny pair."""
    return {"base": tiny_pair.base, "aligned": tiny_pair.aligned, "device": "cpu", "debounceMs": 20}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(
    tiny_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EditorClient]:
    """One server for all tests of a file (its engine takes seconds to start); each test opens its own documents."""
    with pytest.MonkeyPatch.context() as patch:
        _fresh_cache(patch, tmp_path_factory)
        client = await started(settings=dict(tiny_settings))
    yield client
    assert not client.bad_messages
    assert await client.leave() == 0

"""Servers over real stdio, with the tiny random pair."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from lsp_client import EditorClient, started

from shiftlens.models.pair import PairSpec


@pytest.fixture(scope="session")
def tiny_settings(tiny_pair: PairSpec) -> dict[str, Any]:
    """The settings of a user who works with the tiny pair."""
    return {"base": tiny_pair.base, "aligned": tiny_pair.aligned, "device": "cpu", "debounceMs": 20}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(tiny_settings: dict[str, Any]) -> AsyncIterator[EditorClient]:
    """One server for all tests of a file (its engine takes seconds to start); each test opens its own documents."""
    client = await started(settings=dict(tiny_settings))
    yield client
    assert not client.bad_messages
    assert await client.leave() == 0

"""How tests start engines: forked where nothing about the process matters, and by themselves elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from processes import fork_of, until
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.options.pair import PairSpec

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="engines are forked where processes can be awaited"
)


@asynccontextmanager
async def engine_process(pair: PairSpec) -> AsyncIterator[int]:
    client = EngineClient(sharing=Sharing.OWN)
    try:
        await client.describe(pair)
        assert client.pid is not None
        yield client.pid
    finally:
        await client.close()


async def test_an_engine_of_a_test_is_forked_and_ends_with_its_client(tiny_pair: PairSpec) -> None:
    async with engine_process(tiny_pair) as pid:
        assert fork_of(pid) is not None
    await until(lambda: fork_of(pid) is None)


async def test_a_fork_ends_when_the_process_that_asked_for_it_is_killed(tiny_pair: PairSpec) -> None:
    async with engine_process(tiny_pair) as pid:
        os.kill(pid, signal.SIGKILL)
        await until(lambda: fork_of(pid) is None)


async def test_an_engine_with_another_environment_starts_by_itself(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    async with engine_process(tiny_pair) as pid:
        assert fork_of(pid) is None


@pytest.mark.usefixtures("processes_start_cold")
async def test_an_engine_starts_by_itself_where_a_test_wants_it(tiny_pair: PairSpec) -> None:
    async with engine_process(tiny_pair) as pid:
        assert fork_of(pid) is None

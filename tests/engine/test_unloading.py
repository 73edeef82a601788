"""Unloading: what runs ends, also where another client has started it; nothing is waited for without end."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from shiftlens.engine import client as engine_client
from shiftlens.engine.client import EngineClient
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.running import running_engines
from shiftlens.errors import EngineError
from shiftlens.options.pair import PairSpec


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Engines of this test only."""
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path_factory.mktemp("run")))


@asynccontextmanager
async def clients() -> AsyncIterator[tuple[EngineClient, EngineClient]]:
    made = EngineClient(), EngineClient()
    try:
        yield made
    finally:
        for client in made:
            await client.close()


async def test_nothing_is_unloaded_where_nothing_runs() -> None:
    async with clients() as (client, _):
        assert await client.unload() is False
        assert await running_engines() == []


async def test_a_client_that_asked_nothing_ends_the_engine_that_it_would_use(tiny_pair: PairSpec) -> None:
    async with clients() as (busy, idle):
        await busy.describe(tiny_pair)
        assert await idle.unload() is True
        assert await running_engines() == []
        assert (await busy.describe(tiny_pair)).base.parameters > 0


async def test_an_engine_that_may_open_pickles_is_ended_as_well(tiny_pair: PairSpec) -> None:
    async with clients() as (busy, idle):
        await busy.describe(replace(tiny_pair, allow_pickle=True))
        assert await idle.unload() is True
        assert await running_engines() == []


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process")
@pytest.mark.parametrize("has_asked", [True, False])
async def test_a_host_that_has_stopped_is_given_up_and_named(
    tiny_pair: PairSpec, has_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_client, "_UNLOAD_SECONDS", 0.1)
    async with clients() as (busy, idle):
        await busy.describe(tiny_pair)
        (engine,) = await running_engines()
        assert engine.host_pid is not None
        os.kill(engine.host_pid, signal.SIGSTOP)
        try:
            with pytest.raises(EngineError, match=f"process {engine.host_pid}.* does not answer"):
                await (busy if has_asked else idle).unload()
        finally:
            os.kill(engine.host_pid, signal.SIGCONT)

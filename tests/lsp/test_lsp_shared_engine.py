"""Two windows, two language servers over stdio, one engine; and a server's end when its editor's process ends."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

import pytest
from lsprotocol import types

from lsp.lsp_client import SECONDS, SERVER, EditorClient, capabilities, engine_pid, started
from processes import is_alive, until_gone
from shiftlens.lsp.server.serving import create_server

TALK = "User: Why is the sky blue?\nAssistant: Great question! The quick brown fox.\n"
LONG = "".join(f"User: {turn}?\nAssistant: The quick brown fox jumps over the lazy dog.\n" for turn in range(200))


@asynccontextmanager
async def windows(count: int, settings: dict[str, Any]) -> AsyncIterator[list[EditorClient]]:
    """Editors with a server each, and no scores on disk between them."""
    made = [await started(settings={**settings, "resultCache": False}) for _ in range(count)]
    try:
        yield made
    except BaseException:
        # A window that is left open would share its engine with the next test.
        for client in made:
            if client.process.returncode is None:
                client.process.kill()
        raise
    for client in made:
        if client.process.returncode is None:
            assert await client.leave() == 0


async def test_two_windows_share_one_engine_which_ends_with_the_last_of_them(tiny_settings: dict[str, Any]) -> None:
    async with windows(2, tiny_settings) as (one, other):
        uris = one.open(TALK), other.open(TALK)
        await one.until_state(uris[0], "ready")
        await other.until_state(uris[1], "ready")
        assert await one.tokens(uris[0]) == await other.tokens(uris[1])
        pid = await engine_pid(one)
        assert await engine_pid(other) == pid
        (engine,) = (await one.command("shiftlens.debugInformation"))["engines"]
        assert (engine["enginePid"], engine["clients"], engine["jobs"]) == (pid, 2, 0)
        assert await one.leave() == 0
        assert is_alive(pid)
        other.change(uris[1], TALK + "User: and?\nAssistant: So it is.\n", 2)
        await other.until_state(uris[1], "ready", version=2)
        assert await engine_pid(other) == pid
        # A window that is killed says no goodbye.
        other.process.kill()
        await other.server_code()
    await until_gone(pid)


async def test_a_long_file_in_one_window_does_not_keep_the_other_waiting(tiny_settings: dict[str, Any]) -> None:
    async with windows(2, tiny_settings) as (one, other):
        long = one.open(LONG)
        await one.until_state(long, "scoring")
        short = other.open(TALK)
        await other.until_state(short, "ready")
        assert one.latest(long)["state"] == "scoring"


async def test_a_window_that_scored_nothing_unloads_what_another_has_loaded(tiny_settings: dict[str, Any]) -> None:
    async with windows(1, tiny_settings) as (busy,), windows(1, {**tiny_settings, "runPolicy": "manual"}) as (idle,):
        uri = idle.open(TALK)
        await idle.until_state(uri, "notScored")
        assert await idle.command("shiftlens.unload") is False
        await idle.until(lambda: any("no models are loaded" in m.message for m in idle.messages))
        await busy.until_state(busy.open(TALK), "ready")
        pid = await engine_pid(busy)
        assert await idle.command("shiftlens.unload") is True
        assert not is_alive(pid)


async def test_unloading_in_one_window_tells_the_other_and_the_next_edit_loads_anew(
    tiny_settings: dict[str, Any],
) -> None:
    async with windows(2, tiny_settings) as (one, other):
        busy = one.open(LONG)
        await one.until_state(busy, "scoring")
        idle = other.open(TALK)
        await other.until_state(idle, "ready")
        colours = await other.tokens(idle)
        pid = await engine_pid(one)
        assert await other.command("shiftlens.unload") is True
        status = await one.until_state(busy, "error")
        assert "unloaded, here or in another window" in status["message"]
        await until_gone(pid)
        assert await other.tokens(idle) == colours
        other.change(idle, TALK + "User: and?\nAssistant: So it is.\n", 2)
        await other.until_state(idle, "ready", version=2)


async def test_windows_that_do_not_share_have_an_engine_each(tiny_settings: dict[str, Any]) -> None:
    async with windows(2, {**tiny_settings, "shareEngine": False}) as (one, other):
        uris = one.open(TALK), other.open(TALK)
        await one.until_state(uris[0], "ready")
        await other.until_state(uris[1], "ready")
        pids = await engine_pid(one), await engine_pid(other)
        assert pids[0] != pids[1]
        assert (await one.command("shiftlens.debugInformation"))["engines"] == []


async def test_a_server_ends_with_its_editors_process_though_its_wire_stays_open() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as editor:
        client = EditorClient()
        await client.start_io(*SERVER)
        params = types.InitializeParams(process_id=editor.pid, capabilities=capabilities())
        await asyncio.wait_for(client.initialize_async(params), SECONDS)
        client.initialized(types.InitializedParams())
        uri = client.open(TALK)
        await client.until_state(uri, "noPair")
        editor.kill()
        assert await client.server_code() == 1


async def test_a_server_serves_a_client_whose_process_it_can_not_see() -> None:
    client = EditorClient()
    await client.start_io(*SERVER)
    params = types.InitializeParams(process_id=_no_process(), capabilities=capabilities())
    await asyncio.wait_for(client.initialize_async(params), SECONDS)
    client.initialized(types.InitializedParams())
    uri = client.open(TALK)
    await client.until_state(uri, "noPair")
    assert await client.leave() == 0


async def test_an_answer_that_comes_after_we_gave_up_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    protocol = create_server().protocol
    given_up: Future[Any] = Future()
    given_up.cancel()
    protocol._request_futures["late"] = given_up
    with caplog.at_level(logging.WARNING):
        protocol.handle_message(protocol.structure_message({"jsonrpc": "2.0", "id": "late", "result": [None]}))
    assert protocol.pending == 0
    assert caplog.records == []


def _no_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(ended.pid, 0)
    return ended.pid

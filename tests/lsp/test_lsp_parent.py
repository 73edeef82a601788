"""The server watches the process of its client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from shiftlens.lsp.server.parent import until_ended


@pytest.mark.parametrize("pid", [-1, 2**31 - 1, 2**70])
async def test_a_number_that_is_no_process_of_this_machine_is_not_watched(pid: int) -> None:
    assert not await until_ended(pid)


async def test_a_process_that_nobody_has_asked_for_its_end_counts_as_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = asyncio.ensure_future(until_ended(process.pid))
        done, _ = await asyncio.wait({watch}, timeout=0)
        assert not done
        process.kill()
        assert await asyncio.wait_for(watch, 60)


async def test_a_process_that_runs_on_is_watched_until_the_watch_is_ended() -> None:
    watch = asyncio.ensure_future(until_ended(os.getpid()))
    await asyncio.sleep(0)
    assert not watch.done()
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch

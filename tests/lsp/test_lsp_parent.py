"""The server watches the process of its client."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import psutil
import pytest

from shiftlens.lsp.server import parent


@pytest.mark.parametrize("pid", [-1, 2**31 - 1, 2**70])
async def test_a_number_that_is_no_process_of_this_machine_is_not_watched(pid: int) -> None:
    assert not await parent.until_ended(pid)


async def test_a_process_is_watched_until_it_ends_though_nobody_has_asked_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[bool] = []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:

        def look(at: psutil.Process) -> bool:
            looks.append(is_there(at))
            if len(looks) == 2:
                process.kill()
            return looks[-1]

        is_there = parent._is_there
        monkeypatch.setattr(parent, "_is_there", look)
        monkeypatch.setattr(parent, "_POLL_SECONDS", 0.01)
        assert await asyncio.wait_for(parent.until_ended(process.pid), 60)
    assert looks[:2] == [True, True]
    assert looks[-1] is False

"""How engine processes behave on machines that others use too."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.environment import WAIT_POLICY, wait_policy_in_words, with_wait_policy
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE, Endpoint, endpoint_for
from shiftlens.engine.worker.urgency import NICENESS, make_less_urgent
from shiftlens.options.pair import PairSpec

pytestmark = pytest.mark.usefixtures("processes_start_cold")

SECONDS = 60.0
USUAL = os.getpriority(os.PRIO_PROCESS, 0)
LESS = min(USUAL + NICENESS, 19)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Engines of this test only, and an environment that says nothing of threads."""
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path_factory.mktemp("run", numbered=True)))
    for name in (WAIT_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def client(*, background: bool, sharing: Sharing = Sharing.SHARED) -> AsyncIterator[EngineClient]:
    made = EngineClient(background=background, sharing=sharing)
    try:
        yield made
    finally:
        await made.close()


def urgency(of: EngineClient) -> int:
    assert of.pid is not None
    return os.getpriority(os.PRIO_PROCESS, of.pid)


async def until(true: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not true():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), SECONDS)


@pytest.mark.parametrize("sharing", [Sharing.OWN, Sharing.SHARED])
async def test_the_engine_of_a_command_is_as_urgent_as_any_program(tiny_pair: PairSpec, sharing: Sharing) -> None:
    async with client(background=False, sharing=sharing) as command:
        described = await command.describe(tiny_pair)
        assert described.engine.niceness == urgency(command) == USUAL


@pytest.mark.parametrize("sharing", [Sharing.OWN, Sharing.SHARED])
async def test_the_engine_of_an_editor_is_less_urgent(tiny_pair: PairSpec, sharing: Sharing) -> None:
    async with client(background=True, sharing=sharing) as editor:
        described = await editor.describe(tiny_pair)
        assert described.engine.niceness == urgency(editor) == LESS


async def test_the_engine_of_a_command_gets_less_urgent_when_only_editors_are_left(tiny_pair: PairSpec) -> None:
    async with client(background=True) as editor:
        async with client(background=False) as command:
            await command.describe(tiny_pair)
            await editor.describe(tiny_pair)
            assert editor.pid == command.pid
            assert urgency(editor) == USUAL
        await until(lambda: urgency(editor) == LESS)
        assert (await editor.describe(tiny_pair)).engine.niceness == LESS


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks at threads in /proc")
def test_every_thread_of_a_process_gets_less_urgent() -> None:
    code = (
        "import sys, threading; end = threading.Event()\n"
        "for _ in range(3): threading.Thread(target=end.wait, daemon=True).start()\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        make_less_urgent(process.pid)
        threads = [int(each.name) for each in Path(f"/proc/{process.pid}/task").iterdir()]
        assert len(threads) == 4
        assert {os.getpriority(os.PRIO_PROCESS, each) for each in threads} == {LESS}
        process.communicate()


def test_threads_wait_passively_unless_the_user_has_said_how() -> None:
    assert with_wait_policy({"HOME": "/"}) == {"HOME": "/", WAIT_POLICY: "passive"}
    for name in (WAIT_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"):
        assert with_wait_policy({name: "1"}) == {name: "1"}
    assert wait_policy_in_words({"GOMP_SPINCOUNT": "9"}) == "GOMP_SPINCOUNT=9"


async def test_an_engine_has_the_policy_in_its_environment_and_its_client_has_not(tiny_pair: PairSpec) -> None:
    async with client(background=False, sharing=Sharing.OWN) as command:
        described = await command.describe(tiny_pair)
        assert described.engine.waiting == "OMP_WAIT_POLICY=passive"
        assert WAIT_POLICY not in os.environ


def test_a_policy_that_we_set_ourselves_splits_no_engines() -> None:
    def endpoint(**environment: str) -> Endpoint:
        return endpoint_for("build", allow_pickle=False, environment={"HOME": "/home/me", **environment})

    assert endpoint(**{WAIT_POLICY: "passive"}) == endpoint()
    assert endpoint(**{WAIT_POLICY: "active"}) != endpoint()

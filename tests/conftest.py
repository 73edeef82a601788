"""Fixtures that several rooms share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from warm_start import FOLDER_VARIABLE

from shiftlens.engine.environment import with_wait_policy
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE
from shiftlens.engine.sharing.running import running_engines
from shiftlens.options.pair import PairSpec
from shiftlens.scores.location import CACHE_DIR_VARIABLE

# A deadline of an example would be a timed assert, which a busy machine fails. Nine tenths of a property's time is the
# drawing of texts: `make test` draws some, others in each run. `.ci/run` draws many (`--hypothesis-profile=thorough`),
# the same in each run of a commit, so that no change is refused for a fault that was there before it.
settings.register_profile("shiftlens", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=200, derandomize=True)
settings.load_profile("shiftlens")

_STARTERS = {"EngineClient", "EditorClient", "started"}
_WARM_START = Path(__file__).parent / "warm"


def pytest_configure(config: pytest.Config) -> None:
    """Have engines and servers forked, once for all workers of a run: see `warm_start`."""
    if hasattr(config, "workerinput") or not hasattr(os, "pidfd_open"):
        return
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setenv(FOLDER_VARIABLE, folder)
    patch.setenv("PYTHONPATH", str(_WARM_START), prepend=os.pathsep)
    for program, environment in (("shiftlens.engine", with_wait_policy(os.environ)), ("shiftlens.lsp", os.environ)):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/{program}")
            listener.listen()
            line = [sys.executable, str(_WARM_START / "fork_server.py"), program, str(listener.fileno())]
            pipe = subprocess.PIPE
            server = subprocess.Popen(line, stdin=pipe, pass_fds=[listener.fileno()], env=environment)
        stack.callback(server.communicate)


@pytest.fixture
def processes_start_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines and servers that are not forked, for what is about a process: its memory, its urgency, its start."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test is slow where its file starts engines or servers, which takes seconds each; others are marked by hand."""
    for item in items:
        if isinstance(item, pytest.Function) and _STARTERS & vars(item.module).keys():
            item.add_marker(pytest.mark.slow)


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
def _folder_of_lasting_engines() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True) as folder:
        yield folder
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(RUNTIME_DIR_VARIABLE, folder)
            for engine in asyncio.run(running_engines()):
                if engine.host_pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(engine.host_pid, signal.SIGTERM)


@pytest.fixture(scope="module")
def lasting_engines(_folder_of_lasting_engines: str) -> Iterator[None]:
    """Engines that outlive their clients, for files of tests that are not about when engines start and end.

    Each start takes seconds of processor time; with this, one engine scores for the servers and commands of many tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_DIR_VARIABLE, _folder_of_lasting_engines)
        patch.setenv(LINGER_VARIABLE, "120")
        yield


@pytest.fixture
def engine_of_this_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An engine that starts in this test, for what is only seen while models load."""
    with tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv(RUNTIME_DIR_VARIABLE, folder)
        monkeypatch.setenv(LINGER_VARIABLE, "0")
        yield


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """A random base and aligned model of one byte-level tokenizer, on the CPU."""
    # Tests without models do without torch, whose import takes seconds.
    from tiny_models import save_pair

    base, aligned = save_pair(Path(tmp_path_factory.mktemp("pair")))
    return PairSpec(base=str(base), aligned=str(aligned), device="cpu")

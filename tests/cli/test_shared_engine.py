"""The command line beside an editor: it uses the engine that runs, says which run, and leaves none behind."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shiftlens.cli.main import main
from shiftlens.engine.client import EngineClient
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE
from shiftlens.engine.sharing.running import FoundEngine, running_engines
from shiftlens.options.pair import PairSpec

pytestmark = pytest.mark.skipif(os.name != "posix", reason="engines are shared over Unix sockets")


@pytest.fixture(autouse=True)
def _engines_of_this_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True) as name:
        monkeypatch.setenv(RUNTIME_DIR_VARIABLE, name)
        monkeypatch.setenv(LINGER_VARIABLE, "60")
        yield


@pytest.fixture
def talk(tmp_path: Path) -> str:
    (tmp_path / "talk.txt").write_text("User: hi\nAssistant: Great question!\n")
    return str(tmp_path / "talk.txt")


def names(pair: PairSpec) -> tuple[str, ...]:
    return ("--base", pair.base, "--aligned", pair.aligned, "--device", "cpu")


async def engines() -> list[FoundEngine]:
    return await running_engines()


async def unload(pair: PairSpec) -> None:
    client = EngineClient()
    await client.describe(pair)
    await client.unload()


def test_a_second_analysis_uses_the_models_that_the_first_one_loaded(talk: str, tiny_pair: PairSpec) -> None:
    assert main(["analyze", talk, *names(tiny_pair), "--no-cache"]) == 0
    (first,) = asyncio.run(engines())
    assert main(["analyze", talk, *names(tiny_pair), "--no-cache"]) == 0
    (second,) = asyncio.run(engines())
    assert first.said is not None
    assert second.said is not None
    assert first.said.engine_pid == second.said.engine_pid
    assert second.said.clients == 0
    asyncio.run(unload(tiny_pair))
    assert asyncio.run(engines()) == []


def test_a_private_engine_leaves_none_behind(talk: str, tiny_pair: PairSpec) -> None:
    assert main(["analyze", talk, *names(tiny_pair), "--no-cache", "--private-engine"]) == 0
    assert asyncio.run(engines()) == []


def test_doctor_tells_which_engines_run_and_leaves_none_behind(
    talk: str, tiny_pair: PairSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *names(tiny_pair), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["engines"] == []
    assert asyncio.run(engines()) == []
    assert main(["analyze", talk, *names(tiny_pair), "--no-cache"]) == 0
    capsys.readouterr()
    assert main(["doctor", *names(tiny_pair), "--format", "json"]) == 0
    (engine,) = json.loads(capsys.readouterr().out)["engines"]
    assert (engine["answers"], engine["allowPickle"], engine["clients"]) == (True, False, 0)
    assert engine["residentBytes"] > 0
    assert main(["doctor", *names(tiny_pair)]) == 0
    assert f"stop it: kill {engine['pid']}" in capsys.readouterr().out
    asyncio.run(unload(tiny_pair))

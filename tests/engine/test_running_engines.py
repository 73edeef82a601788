"""What is told of engines that run, also of those of another version."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from shiftlens.engine.frames import encode_frame, read_body
from shiftlens.engine.protocol import ModelInMemory
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE, Endpoint, endpoint_for, program_build
from shiftlens.engine.sharing.host_protocol import HOST_PROTOCOL_VERSION, Running
from shiftlens.engine.sharing.running import FoundEngine, running_engines

pytestmark = pytest.mark.skipif(os.name != "posix", reason="engines are shared over Unix sockets")

MODELS = (
    ModelInMemory(name="org/base", bytes=3 << 20, device="cpu", dtype="float32"),
    ModelInMemory(name="me/adapter", bytes=1 << 19, device="cpu", dtype="float32", adapter_of="org/base"),
)
RUNNING = Running(
    pid=11,
    engine_pid=12,
    allow_pickle=False,
    models=MODELS,
    version="1",
    started=time.time(),
    clients=2,
    jobs=1,
    resident_bytes=300 << 20,
    kv_bytes=1 << 20,
    cuda_bytes=0,
)


class RunningOfVersion4(msgspec.Struct, frozen=True, kw_only=True, tag="Running"):
    """What hosts answered when an engine was that of one pair."""

    pid: int = 11
    engine_pid: int | None = 12
    pair: dict[str, str] = msgspec.field(default_factory=lambda: {"base": "org/base", "aligned": "org/aligned"})
    version: str = "0.1"
    started: float = 0.0
    clients: int = 1
    jobs: int = 0
    resident_bytes: int | None = None
    kv_bytes: int = 0
    cuda_bytes: int = 0


@asynccontextmanager
async def host(endpoint: Endpoint, answer: msgspec.Struct) -> AsyncIterator[None]:
    """Something that listens at an endpoint and answers each message with this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_body(reader)
        writer.write(encode_frame(answer))  # type: ignore[arg-type]
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, str(endpoint.socket))
    endpoint.lock.write_text("11", encoding="ascii")
    try:
        yield
    finally:
        server.close()


def test_an_engine_is_told_with_its_models_clients_and_jobs_in_words() -> None:
    assert FoundEngine(11, Path("log"), RUNNING).in_words() == (
        "org/base (float32 on cpu, 3.0 MiB) and me/adapter (adapter on org/base, float32 on cpu, 0.5 MiB), process 12, "
        "300 MiB resident, 1.0 MiB kept for edits, 2 clients, 1 job; stop it: kill 11"
    )


def test_an_engine_without_models_says_so() -> None:
    empty = msgspec.structs.replace(RUNNING, models=())
    assert FoundEngine(11, Path("log"), empty).in_words().startswith("no models, process 12, ")


def test_an_engine_is_told_with_its_models_in_json() -> None:
    told = FoundEngine(11, Path("log"), RUNNING).as_json()
    assert told["models"] == [
        {"name": "org/base", "adapterOf": None, "device": "cpu", "dtype": "float32", "bytes": 3 << 20},
        {"name": "me/adapter", "adapterOf": "org/base", "device": "cpu", "dtype": "float32", "bytes": 1 << 19},
    ]
    assert (told["allowPickle"], told["clients"], told["jobs"]) == (False, 2, 1)


async def test_an_engine_of_an_older_version_is_named_but_not_misread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path))
    tmp_path.chmod(0o700)
    for answer, is_understood in ((RunningOfVersion4(), False), (RUNNING, True)):
        async with host(Endpoint(tmp_path, "0123456789abcdef"), answer):
            (found,) = await running_engines()
            assert (found.said is not None) is is_understood
            assert found.host_pid == 11
            assert "kill 11" in found.in_words()
            assert found.as_json()["answers"] is is_understood


def test_a_program_of_another_protocol_looks_for_its_engine_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path))
    tmp_path.chmod(0o700)
    ours = endpoint_for(program_build(), allow_pickle=False)
    monkeypatch.setattr("shiftlens.engine.sharing.endpoint.HOST_PROTOCOL_VERSION", HOST_PROTOCOL_VERSION - 1)
    theirs = endpoint_for(program_build.__wrapped__(), allow_pickle=False)
    assert ours.folder == theirs.folder
    assert ours.name != theirs.name

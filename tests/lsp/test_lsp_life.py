"""How the server starts, stops, and stands what goes wrong around it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from lsprotocol import types

from lsp.lsp_client import SECONDS, SERVER, EditorClient, capabilities, engine_pid, started, until_listening
from processes import until_gone
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE

TALK = "User: Why is the sky blue?\nAssistant: Great question! The quick brown fox.\n"
LONG = "User: q\nAssistant: " + "The quick brown fox jumps over the lazy dog. " * 90
PRINTS = """
import os, sys
from shiftlens.lsp.documents import open as documents
from shiftlens.lsp.server import serving as server
real = documents.read
def noisy(*args, **kwargs):
    print("a stray line")
    sys.__stdout__.write("another\\n"); sys.__stdout__.flush()
    os.write(1, b"from C\\n")
    return real(*args, **kwargs)
documents.read = noisy
server.serve()
"""
FAILS = """
from shiftlens.lsp.server import features
from shiftlens.lsp.server import serving as server
def fail(*args, **kwargs):
    raise RuntimeError("the secret text of the transcript")
features.place_in = fail
server.serve()
"""


@pytest.fixture
def lingering(engine_of_this_test: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Engines of this test stay for hours after clients that said goodbye, and soon end after others."""
    monkeypatch.setenv(LINGER_VARIABLE, "7200")


async def stderr_of(client: EditorClient) -> str:
    assert client.process.stderr is not None
    return (await client.process.stderr.read()).decode()


def test_the_server_imports_neither_torch_nor_transformers_nor_numpy() -> None:
    code = (
        "import sys, shiftlens.lsp.server.serving as s; s.create_server();"
        "print([m for m in ('torch', 'transformers', 'numpy', 'tokenizers') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def test_the_server_says_what_it_can() -> None:
    client = EditorClient()
    await client.start_io(*SERVER)
    result = await client.initialize_async(types.InitializeParams(capabilities=capabilities()))
    caps = result.capabilities
    assert caps.position_encoding == "utf-16"
    assert isinstance(caps.text_document_sync, types.TextDocumentSyncOptions)
    assert caps.text_document_sync.change == types.TextDocumentSyncKind.Incremental
    assert caps.semantic_tokens_provider is not None
    assert list(caps.semantic_tokens_provider.legend.token_types) == ["shifted", "marginal", "unshifted"]
    modifiers = ["special", "boundary", "offGreedy", "withinNoise"]
    assert list(caps.semantic_tokens_provider.legend.token_modifiers) == modifiers
    assert isinstance(caps.semantic_tokens_provider.full, types.SemanticTokensFullDelta)
    assert caps.semantic_tokens_provider.full.delta is True
    assert caps.semantic_tokens_provider.range is True
    assert caps.hover_provider
    assert caps.execute_command_provider is not None
    assert "shiftlens.score" in caps.execute_command_provider.commands
    client.initialized(types.InitializedParams())
    assert await client.leave() == 0
    assert await stderr_of(client) == ""


async def test_the_server_asks_to_hear_of_changed_settings() -> None:
    caps = capabilities()
    assert caps.workspace is not None
    caps.workspace.did_change_configuration = types.DidChangeConfigurationClientCapabilities(dynamic_registration=True)
    client = EditorClient()
    registered: asyncio.Future[types.RegistrationParams] = asyncio.get_running_loop().create_future()

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def on_register(params: types.RegistrationParams) -> None:
        registered.set_result(params)

    await client.start_io(*SERVER)
    await client.initialise(caps)
    params = await asyncio.wait_for(registered, SECONDS)
    assert [r.method for r in params.registrations] == ["workspace/didChangeConfiguration"]
    assert await client.leave() == 0


async def test_what_anything_prints_does_not_reach_the_wire() -> None:
    client = await started(sys.executable, "-c", PRINTS)
    uri = client.open(TALK)
    await client.until_state(uri, "noPair")
    assert await client.hover(uri, 0, 0) is None
    assert not client.bad_messages
    assert await client.leave() == 0
    said = await stderr_of(client)
    for line in ("a stray line", "another", "from C"):
        assert line in said


async def test_a_fault_in_a_handler_tells_the_client_no_text_and_no_paths() -> None:
    client = await started(sys.executable, "-c", FAILS)
    uri = client.open(TALK)
    with pytest.raises(Exception, match="Internal error") as caught:
        await client.hover(uri, 1, 12)
    assert getattr(caught.value, "data", None) is None
    assert "secret" not in str(caught.value)
    assert await client.tokens(uri) == []
    assert await client.leave() == 0
    said = await stderr_of(client)
    assert "RuntimeError" in said
    assert "secret" not in said
    assert not client.messages


async def test_the_log_holds_no_text_of_a_transcript(tiny_settings: dict[str, Any]) -> None:
    code = "from shiftlens.lsp.server.serving import serve; serve(log_level='debug')"
    client = await started(sys.executable, "-c", code, settings=tiny_settings)
    uri = client.open(TALK.replace("question", "xylophone"))
    await client.until_state(uri, "ready")
    await client.hover(uri, 1, 12)
    assert await client.leave() == 0
    said = await stderr_of(client)
    assert "1 responses, 1 to score" in said
    assert "xylo" not in said
    assert "sky" not in said


@pytest.mark.usefixtures("processes_start_cold")
async def test_shutdown_while_busy_answers_and_takes_the_engine_along(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(LONG)
    pid = await engine_pid(client)
    await client.until_state(uri, "loading", "scoring")
    busy = asyncio.ensure_future(client.command("shiftlens.restartEngine"))
    assert await client.leave() == 0
    await until_gone(pid)
    await asyncio.gather(busy, return_exceptions=True)
    assert "Traceback" not in await stderr_of(client)


@pytest.mark.usefixtures("lingering")
async def test_exit_without_shutdown_ends_everything_with_code_1(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    client.open(LONG)
    pid = await engine_pid(client)
    client.exit(None)
    assert await client.server_code() == 1
    await until_gone(pid)


@pytest.mark.usefixtures("lingering")
async def test_a_client_that_dies_takes_the_server_and_the_engine_along(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    client.open(LONG)
    pid = await engine_pid(client)
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert await client.server_code() == 1
    await until_gone(pid)


@pytest.mark.usefixtures("lingering")
async def test_a_server_that_is_killed_takes_the_engine_along(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    client.open(LONG)
    pid = await engine_pid(client)
    client.process.kill()
    await client.server_code()
    await until_gone(pid)


@pytest.mark.usefixtures("processes_start_cold")
async def test_an_engine_that_is_killed_is_told_and_the_next_request_works(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    colours = await client.tokens(uri)
    assert await client.command("shiftlens.unload") is True
    other = client.open(LONG)
    os.kill(await engine_pid(client), signal.SIGKILL)
    status = await client.until_state(other, "error")
    assert "The engine process ended" in status["message"]
    assert "ShiftLens: Score" in status["message"]
    await client.until(lambda: any("The engine process ended" in m.message for m in client.messages))
    assert await client.tokens(uri) == colours
    assert await client.command("shiftlens.score", other) is True
    await client.until_state(other, "ready")
    assert await client.tokens(other)
    assert await client.leave() == 0


async def test_tcp_serves_a_client() -> None:
    code = "from shiftlens.lsp.server.serving import serve; serve(tcp=True)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.readline(), SECONDS)).decode()
    host, port = said.rsplit(" ", 1)[1].strip().split(":")
    client = EditorClient()
    await until_listening(lambda: client.start_tcp(host, int(port)))
    await client.initialise()
    uri = client.open(TALK)
    await client.until_state(uri, "noPair")
    assert await client.tokens(uri) == []
    await asyncio.wait_for(client.shutdown_async(None), SECONDS)
    client.exit(None)
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    await client.stop()  # type: ignore[no-untyped-call]

"""Every request is answered, also one that no editor sends; found by `make stress`."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from lsprotocol import types

from shiftlens.lsp.server.log import configure_logging
from stress.rpc import Server, home, leave, start

ODD: list[Any] = [
    ("textDocument/hover", {"textDocument": {"uri": "file:///a"}, "position": {"line": "x", "character": 0}}),
    ("textDocument/hover", None),
    ("textDocument/hover", []),
    ("shiftlens/token", "t"),
    ("workspace/executeCommand", {"command": 7}),
    ("workspace/executeCommand", {"command": "shiftlens.report", "arguments": []}),
    ("workspace/executeCommand", {"command": "shiftlens.score", "arguments": ["a", "b"]}),
    ("workspace/executeCommand", {"command": "shiftlens.nothing", "arguments": []}),
]


async def answer(server: Server, method: str, params: Any) -> dict[str, Any]:
    found: dict[str, Any] = await server.within(server.ask(method, params), method)
    return found


async def test_a_request_with_wrong_parameters_is_told_so_and_the_next_one_works() -> None:
    async with home() as place:
        server = await start(place)
        for method, params in ODD:
            found = await answer(server, method, params)
            assert found["error"]["code"] == types.ErrorCodes.InvalidParams, (method, params)
        assert (await answer(server, "no/such", {}))["error"]["code"] == types.ErrorCodes.MethodNotFound
        assert (await server.command("shiftlens.debugInformation"))["documents"] == []
        assert await leave(server) == 0
        assert server.tracebacks == []


async def test_a_request_of_another_protocol_is_told_so() -> None:
    async with home() as place:
        server = await start(place)
        asked = server.ask("shiftlens/analysis", {"uri": "file:///a"}, "first")
        assert (await server.within(asked, "an answer"))["result"] is None
        refused = server.ask("x", {}, "second")
        server.send(json.dumps({"jsonrpc": "1.0", "id": "second", "method": "shiftlens/analysis"}).encode())
        await server.within(refused, "a refusal")
        await server.until(lambda: server.unasked == 1, "an answer to each of both")
        assert await leave(server) == 0


async def test_what_comes_after_shutdown_is_refused() -> None:
    async with home() as place:
        server = await start(place)
        await server.within(server.ask("shutdown", None), "shutdown")
        late = await answer(server, "shiftlens/analysis", {"uri": "file:///a"})
        assert late["error"]["code"] == types.ErrorCodes.InvalidRequest
        server.notify("exit", None)
        assert await server.process.wait() == 0


async def test_an_object_inside_of_parameters_is_no_message() -> None:
    async with home() as place:
        server = await start(place)
        inner = {"jsonrpc": "2.0", "id": 1, "method": "textDocument/hover", "params": {}}
        asked = server.command("shiftlens.localModels", [])
        assert (await asked)["named"] == []
        server.notify("workspace/didChangeConfiguration", {"settings": {"shiftlens": {"topK": inner}}})
        assert (await server.command("shiftlens.debugInformation"))["documents"] == []
        assert await leave(server) == 0
        assert server.tracebacks == []


def test_the_log_has_the_words_of_pygls_without_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("error")
        logging.getLogger("pygls.protocol").error('Exception occurred for message "%s"\n%s', "secret", "text")
    finally:
        root.handlers[:], root.level = handlers, level
    assert capsys.readouterr().err.endswith("ERROR pygls.protocol: Exception occurred for message\n")

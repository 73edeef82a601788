"""What is no LSP: it is refused, told, and takes nobody's place."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from lsp.lsp_client import SECONDS, SERVER, EditorClient, started, until_listening
from shiftlens.cli.main import main
from shiftlens.lsp.server.wire import MOST_BODY_BYTES, MOST_HEADER_BYTES, NotLsp, read_body

pytestmark = pytest.mark.usefixtures("lasting_engines")

HTTP = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
LISTEN = "from shiftlens.lsp.server.serving import serve; serve(tcp=True)"


def message(**fields: Any) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **fields}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def bodies(data: bytes) -> list[bytes]:
    """Every message of a stream. Raises NotLsp."""

    async def read() -> list[bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        found = []
        while (body := await read_body(reader)) is not None:
            found.append(body)
        return found

    return asyncio.run(read())


@given(st.lists(st.binary()))
def test_messages_come_as_they_were_written(written: list[bytes]) -> None:
    framed = [b"content-type: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) for body in written]
    assert bodies(b"\r\n".join(framed)) == written


@given(st.binary())
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with suppress(NotLsp):
        assert all(len(body) <= len(data) for body in bodies(data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (HTTP, "no header"),
        (b"Content-Length: 1000000000000000000\r\n\r\n", "1,000,000,000,000,000,000 bytes"),
        (b"Content-Length: %d\r\n\r\n" % (MOST_BODY_BYTES + 1), "are the most that is taken"),
        (b"Content-Length: -1\r\n\r\n", "no number"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "no number"),
        (b"X: " + b"a" * MOST_HEADER_BYTES + b"\r\n", "a header of more than"),
        (b"X: a\r\n" * MOST_HEADER_BYTES, "a header of more than"),
        (b"a" * (1 << 20), "a header of more than"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(NotLsp, match=why):
        bodies(data)


@asynccontextmanager
async def stdio() -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*SERVER, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said_by(reader: asyncio.StreamReader | None) -> Any:
    assert reader is not None
    body = await asyncio.wait_for(read_body(reader), SECONDS)
    assert body is not None
    return json.loads(body)


@pytest.mark.parametrize("data", [b"Content-Length: 1000000000000000000\r\n\r\n{", HTTP])
async def test_what_is_no_message_ends_a_server_with_one_line_in_its_log(data: bytes) -> None:
    async with stdio() as process:
        out, log = await asyncio.wait_for(process.communicate(data), SECONDS)
        assert (process.returncode, out) == (1, b"")
        (line,) = log.decode().splitlines()
        assert "The client was left: it " in line


async def test_before_initialize_requests_are_refused_and_notifications_dropped() -> None:
    opened = {"textDocument": {"uri": "file:///a.txt", "languageId": "x", "version": 1, "text": "User: q"}}
    async with stdio() as process:
        assert process.stdin is not None
        process.stdin.write(message(method="textDocument/didOpen", params=opened))
        process.stdin.write(
            message(id=1, method="workspace/executeCommand", params={"command": "shiftlens.debugInformation"})
        )
        answer = await said_by(process.stdout)
        assert (answer["id"], answer["error"]["code"]) == (1, types.ErrorCodes.ServerNotInitialized)
        process.stdin.write(message(id=2, method="initialize", params={"processId": None, "capabilities": {}}))
        assert "capabilities" in (await said_by(process.stdout))["result"]
        process.stdin.write(message(id=3, method="initialize", params={"processId": None, "capabilities": {}}))
        assert (await said_by(process.stdout))["error"]["code"] == types.ErrorCodes.InvalidRequest


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[asyncio.subprocess.Process, str, int]]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LISTEN, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stderr.readline(), SECONDS)).decode()
        host, port = line.rsplit(" ", 1)[1].strip().split(":")
        assert b"any user of this machine" in await asyncio.wait_for(process.stderr.readline(), SECONDS)
        yield process, host, int(port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def connected(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await until_listening(lambda: asyncio.open_connection(host, port))


async def test_over_tcp_a_stranger_is_sent_away_and_the_place_stays_free() -> None:
    async with listening() as (process, host, port):
        for data in (
            HTTP,
            b"Content-Length: 1000000000000000000\r\n\r\n",
            message(method="initialized", params={}),
            message(id=7, method="shutdown"),
            b"Content-Length: 5\r\n\r\n[[[[[",
        ):
            reader, writer = await connected(host, port)
            writer.write(data)
            answer = await asyncio.wait_for(reader.read(), SECONDS)
            assert (b"-32002" in answer) == (b"shutdown" in data)
            writer.close()
        silent = await connected(host, port)
        client = EditorClient()
        await client.start_tcp(host, port)
        await client.initialise()
        reader, writer = await connected(host, port)
        assert await asyncio.wait_for(reader.read(), SECONDS) == b""
        await asyncio.wait_for(client.shutdown_async(None), SECONDS)
        client.exit(None)
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0
        silent[1].close()
        writer.close()
        await client.stop()  # type: ignore[no-untyped-call]


def test_the_help_says_who_may_connect(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "any user and any program of this machine can be it" in " ".join(capsys.readouterr().out.split())


async def test_a_message_that_is_no_json_is_passed_over() -> None:
    client = await started(settings={})
    client.protocol.writer.write(b"Content-Length: 1\r\n\r\n{")  # type: ignore[union-attr]
    assert (await client.command("shiftlens.debugInformation"))["documents"] == []
    assert await client.leave() == 0

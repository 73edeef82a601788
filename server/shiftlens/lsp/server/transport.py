"""Talking with the client: over standard input and output, or with the first one that is a client over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import StdoutWriter

from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.wire import FileReader, NotLsp, Reader, read_body

_FIRST_MESSAGE_SECONDS = 10.0
_MOST_FIRST_BYTES = 1 << 20
_MOST_WAITING = 16
_STREAM_LIMIT_BYTES = 1 << 16

_log = logging.getLogger(__name__)


def over_stdio(server: ShiftLensServer, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Until the client leaves, or writes what is no message."""
    server.protocol.set_writer(StdoutWriter(stdout))
    try:
        asyncio.run(_converse(server, FileReader(stdin, server.thread_pool)))
    except BrokenPipeError:
        _log.error("The connection to the client is lost.")
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.shutdown()  # type: ignore[no-untyped-call]


def over_tcp(server: ShiftLensServer, host: str, port: int) -> None:
    """Until the client leaves. The client is the first connection that begins as one: others are sent away."""
    with contextlib.suppress(SystemExit, asyncio.CancelledError):
        asyncio.run(_Listening(server).serve(host, port))


class _Listening:
    def __init__(self, server: ShiftLensServer) -> None:
        self._server = server
        self._has_client = False
        self._waiting = 0
        self._left = asyncio.Event()

    async def serve(self, host: str, port: int) -> None:
        listening = await asyncio.start_server(self._on_connection, host, port, limit=_STREAM_LIMIT_BYTES)
        await self._left.wait()
        listening.close()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._has_client or self._waiting >= _MOST_WAITING:
            _log.warning("A connection was closed: %s.", "there is a client" if self._has_client else "too many wait")
            writer.close()
            return
        self._waiting += 1
        try:
            first = await self._first_message(reader, writer)
        finally:
            self._waiting -= 1
        if first is None:
            writer.close()
            return
        self._has_client = True
        self._server.protocol.set_writer(writer)
        try:
            _handle(self._server, first)
            await _converse(self._server, reader)
        finally:
            writer.close()
            self._server.shutdown()  # type: ignore[no-untyped-call]
            self._left.set()

    async def _first_message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """What a connection begins with, if that is `initialize`; None for one that is to be closed."""
        why = ""
        try:
            body = await asyncio.wait_for(read_body(reader, _MOST_FIRST_BYTES), _FIRST_MESSAGE_SECONDS)
            if body is None:
                return None
            message = json.loads(body)
        except NotLsp as error:
            why = str(error)
        except asyncio.TimeoutError:
            why = f"it said nothing for {_FIRST_MESSAGE_SECONDS:.0f} seconds"
        except (OSError, ValueError, RecursionError):
            why = "its first message could not be read"
        else:
            if isinstance(message, dict) and message.get("method") == types.INITIALIZE and "id" in message:
                if not self._has_client:
                    return body
                why = "there is a client"
            else:
                why = "it did not begin with `initialize`"
                _refuse(writer, message)
        _log.warning("A connection was closed: %s.", why)
        return None


def _refuse(writer: asyncio.StreamWriter, message: Any) -> None:
    """Answer a request that came before `initialize`; a notification is not answered."""
    if not isinstance(message, dict) or not isinstance(number := message.get("id"), (int, str)):
        return
    error = {"code": int(types.ErrorCodes.ServerNotInitialized), "message": "The first request must be `initialize`."}
    body = json.dumps({"jsonrpc": "2.0", "id": number, "error": error}).encode()
    writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


async def _converse(server: ShiftLensServer, reader: Reader) -> None:
    try:
        while (body := await read_body(reader)) is not None:
            _handle(server, body)
    except NotLsp as error:
        _log.error("The client was left: %s.", error)
    except ConnectionError:
        _log.error("The connection to the client is lost.")


def _handle(server: ShiftLensServer, body: bytes) -> None:
    try:
        server.protocol.take(json.loads(body))
    except Exception as error:
        # Whatever one message does, the next one may be fine.
        server.report_server_error(error, JsonRpcException)

"""A session of the host: the connection of one client, with its jobs under way."""

from __future__ import annotations

import asyncio

from shiftlens.engine.frames import decode_from_client, encode_frame, read_body
from shiftlens.engine.protocol import Reply, is_passing
from shiftlens.engine.sharing.host_protocol import MAX_REQUEST_BYTES, FromClient, FromHost

_SPARE_ABOVE_BYTES = 1 << 22
_MOST_UNREAD_BYTES = 1 << 28


class Session:
    """`jobs` are those under way: the client's number of each, and the host's.

    `idle_seconds` is how long the client lets the engine be idle, and `background` says that it is an editor (`Hello`).
    """

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.idle_seconds = 0.0
        self.background = True
        self.jobs: dict[int, int] = {}
        self._reader = reader
        self._writer = writer

    async def receive(self) -> FromClient:
        """Raises IncompleteReadError or OSError at the end, ValueError or DecodeError for what is no request."""
        return decode_from_client(await read_body(self._reader, MAX_REQUEST_BYTES))

    def send(self, message: FromHost) -> None:
        """Send without waiting. A client that reads slowly is not sent what later messages say again; one that reads
        nothing is disconnected."""
        if self._writer.is_closing():
            return
        unread = self._writer.transport.get_write_buffer_size()
        if unread > _SPARE_ABOVE_BYTES and isinstance(message, Reply) and is_passing(message):
            return
        if unread > _MOST_UNREAD_BYTES:
            self._writer.transport.abort()
            return
        self._writer.write(encode_frame(message))

    async def close(self, seconds: float) -> None:
        """Close when what was said is read, or after that many seconds."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), seconds)
        except asyncio.TimeoutError:
            self._writer.transport.abort()
        except OSError:
            pass

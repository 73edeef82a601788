"""A client, as the host sees it."""

from __future__ import annotations

import asyncio

from shiftlens.engine.frames import decode_from_client, encode_frame, read_body
from shiftlens.engine.protocol import Progress, Scored
from shiftlens.engine.sharing.host_protocol import MAX_REQUEST_BYTES, FromClient, FromHost

_SPARE_ABOVE_BYTES = 1 << 22
_MOST_UNREAD_BYTES = 1 << 28


class Guest:
    """`jobs` are those under way: the client's number of each, and the host's."""

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
        """Never waits: a client that reads slowly is spared what a later message says again, then sent away."""
        if self._writer.is_closing():
            return
        unread = self._writer.transport.get_write_buffer_size()
        passing = isinstance(message, Progress) or (isinstance(message, Scored) and message.partial)
        if unread > _SPARE_ABOVE_BYTES and passing:
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

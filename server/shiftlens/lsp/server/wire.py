"""Messages as they come over a wire: a header of few lines, an empty line, and a body of as many bytes as it says.

pygls reads these too, but takes any length at its word and skips lines that are no header: a web page's request would
be read as LSP, and one length of 10^18 ends the process.
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import Executor
from typing import BinaryIO, Protocol

MOST_BODY_BYTES = 64 << 20
"""Above any message of an editor: a file of the largest size that is read is a fraction of this."""

MOST_HEADER_BYTES = 8 << 10
"""Of all lines of one header."""

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*\r?\n", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,20}")


class NotLsp(Exception):
    """What came is no message of the protocol, or larger than any is; what follows can't be read either."""


class Reader(Protocol):
    """Where bytes come from."""

    async def readline(self) -> bytes:
        """A line with its end, less at the end of the stream. Raises ValueError for one that is too long."""

    async def readexactly(self, n: int, /) -> bytes:
        """Raises IncompleteReadError where the stream ends before."""


class FileReader:
    """A blocking stream, read on a thread of `executor`."""

    def __init__(self, stream: BinaryIO, executor: Executor) -> None:
        self._stream = stream
        self._executor = executor

    async def readline(self) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._stream.readline, MOST_HEADER_BYTES + 1)

    async def readexactly(self, n: int, /) -> bytes:
        body = await asyncio.get_running_loop().run_in_executor(self._executor, self._stream.read, n)
        if len(body) < n:
            raise asyncio.IncompleteReadError(body, n)
        return body


async def read_body(reader: Reader, most: int = MOST_BODY_BYTES) -> bytes | None:
    """The body of the next message, of at most `most` bytes; None at the end of the stream. Raises NotLsp."""
    try:
        length = await _length(reader)
        if length is None:
            return None
        if length > most:
            raise NotLsp(f"it announced a message of {length:,} bytes, and {most:,} are the most that is taken")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    except ValueError:
        raise _long_header() from None


async def _length(reader: Reader) -> int | None:
    length: int | None = None
    read = 0
    while True:
        line = await reader.readline()
        if not line:
            return None
        read += len(line)
        if read > MOST_HEADER_BYTES:
            raise _long_header()
        if line in (b"\r\n", b"\n"):
            if length is not None:
                return length
            # Empty lines before a header do no harm.
            continue
        field = _FIELD.fullmatch(line)
        if field is None:
            raise NotLsp("it wrote a line that is no header of a message")
        if field[1].lower() == b"content-length":
            if not _LENGTH.fullmatch(field[2]):
                raise NotLsp("it announced a message of a length that is no number")
            length = int(field[2])


def _long_header() -> NotLsp:
    return NotLsp(f"it wrote a header of more than {MOST_HEADER_BYTES:,} bytes")

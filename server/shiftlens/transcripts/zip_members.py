"""Members of a ZIP archive, in memory and within a limit: Zstandard in several frames, deflated or stored."""

from __future__ import annotations

import io
import json
import sys
import zipfile
import zlib
from dataclasses import dataclass

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

_STORED, _DEFLATED, _ZSTANDARD = 0, 8, 93
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1


class UnreadableError(ValueError):
    """A member that can't be read, and why."""


class TooLargeError(UnreadableError):
    """A member that is beyond the limit."""


@dataclass
class MemberReader:
    """Reads members of an archive, no more than `limit` bytes of them in all.

    `what` and `most` say in messages what has too many bytes ("it has") and how many it may have.
    """

    raw: bytes
    limit: int
    what: str
    most: int
    used: int = 0

    def json(self, info: zipfile.ZipInfo) -> object:
        """The value of a member. Raises UnreadableError."""
        content = self.content(info)
        try:
            value: object = json.loads(content.decode("utf-8"), parse_int=_number)
        except UnicodeDecodeError as error:
            raise UnreadableError(f"{info.filename} is not UTF-8 at byte offset {error.start}") from None
        except (ValueError, RecursionError) as error:
            raise UnreadableError(f"{info.filename} is not JSON ({error})") from None
        return value

    def content(self, info: zipfile.ZipInfo) -> bytes:
        """The bytes of a member, decompressed and checked against its checksum. Raises UnreadableError."""
        room = self.limit - self.used
        try:
            content = _decompressed(info, _compressed(self.raw, info), room + 1)
        except (ZstdError, zlib.error, EOFError) as error:
            raise UnreadableError(f"{info.filename} can't be decompressed ({error})") from None
        self.used += len(content)
        if len(content) > room:
            raise TooLargeError(f"{self.what} more than {self.most:,} bytes when decompressed")
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise UnreadableError(f"{info.filename} is damaged: its checksum is another one")
        return content


def _compressed(raw: bytes, info: zipfile.ZipInfo) -> bytes:
    at = info.header_offset
    header = raw[at : at + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
        raise UnreadableError(f"{info.filename} does not begin where the archive says")
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableError(f"{info.filename} is encrypted")
    start = at + _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return raw[start : start + info.compress_size]


def _decompressed(info: zipfile.ZipInfo, compressed: bytes, most: int) -> bytes:
    """At most `most` bytes of a member."""
    if info.compress_type == _STORED:
        return compressed[:most]
    if info.compress_type == _DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(compressed, most)
    if info.compress_type == _ZSTANDARD:
        # Inspect writes a large member in several frames, all of which this reads.
        with ZstdFile(io.BytesIO(compressed)) as frames:
            return frames.read(most)
    raise UnreadableError(f"{info.filename} is compressed by method {info.compress_type}, which is not known here")


def _number(literal: str) -> int | float:
    # Python reads no integer of more than some thousand digits.
    return int(literal) if len(literal) < 1000 else float(literal)

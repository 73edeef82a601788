"""The rows of a file as text, one at a time: lines of JSONL, items of a JSON list, or the whole file as one row."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from shiftlens.corpora.list_items import Item, ListReader
from shiftlens.errors import TranscriptError
from shiftlens.transcripts.files import decode, refuse_pickle

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

_MARK = b"\xef\xbb\xbf"
_HEAD = 1 << 18
_CHUNK = 1 << 16
_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row before it is read as a transcript.

    - number: of the row in its file, from 0, rows that can't be read included; line: where it begins, from 1; None
      where the file has no lines.
    - text: its text, in JSON but for files that are one row; "" where there is none, and `problem` says why.
    - name: what the file calls it.
    - done: how much of the file is read with it, from 0 to 1.
    """

    number: int
    line: int | None
    text: str
    problem: str = ""
    name: str = ""
    done: float = 1.0


@dataclass(frozen=True, slots=True)
class OpenText:
    """A text file that is open. `shape` is "lines", "list" or "whole", told by its first bytes."""

    file: BinaryIO
    beneath: io.FileIO
    size: int
    shape: str

    @property
    def done(self) -> float:
        return min(1.0, self.beneath.tell() / self.size) if self.size else 1.0


@contextmanager
def open_text(path: Path) -> Iterator[OpenText]:
    """Open a file, decompressed where its name says so. Raises TranscriptError, here and for what fails inside."""
    try:
        with path.open("rb", buffering=0) as beneath, _decompressed(path, beneath) as file:
            head, suffix = file.read(_HEAD), _bare_suffix(path)
            refuse_pickle(head, suffix)
            shape = _shape(head, suffix)
        with path.open("rb", buffering=0) as beneath, _decompressed(path, beneath) as file:
            yield OpenText(file, beneath, path.stat().st_size, shape)
    except (OSError, EOFError, zlib.error, ZstdError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TranscriptError(f"The file can't be read: {why}.", "Copy it again.") from None


def raw_rows(opened: OpenText, max_bytes: int) -> Iterator[RawRow]:
    """The rows of an open file, none of more than `max_bytes` bytes. Raises TranscriptError, OSError and the like."""
    if opened.shape == "lines":
        yield from _lines(opened, max_bytes)
    elif opened.shape == "list":
        yield from _items(opened, max_bytes)
    else:
        yield whole_row(opened, max_bytes)


def whole_row(opened: OpenText, max_bytes: int) -> RawRow:
    """The whole file as one row. Raises TranscriptError."""
    return RawRow(0, 1, decode(opened.file.read(max_bytes + 1), max_bytes))


def _decompressed(path: Path, beneath: io.FileIO) -> BinaryIO:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=beneath))
    if suffix == ".zst":
        return cast(BinaryIO, ZstdFile(beneath))
    return cast(BinaryIO, io.BufferedReader(beneath, _CHUNK))


def _bare_suffix(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz").removesuffix(".zst")).suffix


def _shape(head: bytes, suffix: str) -> str:
    start = head.removeprefix(_MARK).lstrip()
    if not start.startswith((b"{", b"[")):
        return "lines" if suffix in _LINES and start else "whole"
    first, _, more = start.partition(b"\n")
    ends_in_head = b"\n" in start or len(head) < _HEAD
    if not ends_in_head:
        # One line of more than what was looked at: a record, or a list on one line.
        return "lines" if suffix in _LINES else "list" if start.startswith(b"[") else "whole"
    if _is_json(first) and (suffix in _LINES or more.lstrip()[:1] in (b"{", b"[")):
        return "lines"
    if start.startswith(b"["):
        return "list"
    return "lines" if suffix in _LINES and more.lstrip()[:1] == b"{" else "whole"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(opened: OpenText, max_bytes: int) -> Iterator[RawRow]:
    number = 0
    line = 0
    while raw := opened.file.readline(max_bytes + 1):
        line += 1
        if line == 1:
            raw = raw.removeprefix(_MARK)
        if len(raw) > max_bytes and not raw.endswith(b"\n"):
            while (rest := opened.file.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield RawRow(number, line, "", _too_long(max_bytes), done=opened.done)
        elif not raw.strip():
            continue
        else:
            yield _row(number, line, raw, opened.done)
        number += 1


def _items(opened: OpenText, max_bytes: int) -> Iterator[RawRow]:
    reader = ListReader(max_bytes)
    number = 0
    while chunk := opened.file.read(_CHUNK):
        for item in reader.feed(chunk):
            yield _of_item(number, item, max_bytes, opened.done)
            number += 1
    if not reader.is_over:
        yield RawRow(number, reader.line, "", "The file ends in the middle of its list.")
    elif reader.has_rest:
        yield RawRow(number, reader.line, "", "Something follows the end of the list, and is not read.")


def _of_item(number: int, item: Item, max_bytes: int, done: float) -> RawRow:
    if item.raw is None:
        return RawRow(number, item.line, "", _too_long(max_bytes), done=done)
    return _row(number, item.line, item.raw, done)


def _row(number: int, line: int, raw: bytes, done: float) -> RawRow:
    try:
        return RawRow(number, line, raw.decode("utf-8").strip(), done=done)
    except UnicodeDecodeError as error:
        why = f"Byte 0x{raw[error.start]:02x} at offset {error.start} of the row is not valid UTF-8."
        return RawRow(number, line, "", why, done=done)


def _too_long(max_bytes: int) -> str:
    return f"The row has more than {max_bytes:,} bytes; --max-bytes raises the limit."

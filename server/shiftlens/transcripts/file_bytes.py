"""The bytes of a file, or of standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.files import MAX_ARCHIVE_BYTES, is_archive

STDIN = "-"


def read_stdin(max_bytes: int) -> bytes:
    """Standard input, or the first byte more than allowed of it."""
    return sys.stdin.buffer.read(max_bytes + 1)


def read_bytes(name: str, stdin: bytes, max_bytes: int) -> bytes:
    """A file's bytes, or what came over standard input for `-`. Raises TranscriptError for more than allowed."""
    raw = stdin if name == STDIN else _read_file(name, max_bytes)
    if len(raw) > max_bytes and not is_archive(raw):
        raise TranscriptError(
            f"The file has more than {max_bytes:,} bytes.", "Split it, or raise the limit with --max-bytes."
        )
    return raw


def _read_file(name: str, max_bytes: int) -> bytes:
    """At most one byte more than allowed, so that a file of any size costs no more than that.

    An archive may have as many bytes as archives may: what it holds is bounded when it is unpacked.
    """
    path = Path(name)
    if path.is_dir():
        raise TranscriptError("This is a folder.", "Name the files in it that are to be analysed.")
    try:
        with path.open("rb") as file:
            start = file.read(4)
            most = max(max_bytes, MAX_ARCHIVE_BYTES) if is_archive(start) else max_bytes
            return start + file.read(most + 1 - len(start))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise TranscriptError(f"The file can't be read: {why}.") from None

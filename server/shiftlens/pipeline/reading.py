"""From the name of a file, or from standard input, to a transcript."""

from __future__ import annotations

import sys
from pathlib import Path

from shiftlens.errors import TranscriptError
from shiftlens.models.pair import SCORE_PARTS
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.transcripts.files import decode
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

STDIN = "-"


def read_stdin(max_bytes: int) -> bytes:
    """Standard input, or the first byte more than allowed of it."""
    return sys.stdin.buffer.read(max_bytes + 1)


def read_transcript(name: str, stdin: bytes, *, format_name: str | None, max_bytes: int) -> Transcript:
    """Read a file, or what came over standard input for `-`. Raises TranscriptError where it is no transcript."""
    text = decode(read_bytes(name, stdin, max_bytes), max_bytes)
    transcript = read(text, filename=None if name == STDIN else name, format=format_name)
    if transcript is None:
        raise TranscriptError(
            "This is not a transcript in any format that shiftlens knows.",
            "If it is one, name its format with --transcript-format.",
        )
    if not transcript.responses and (why := why_nothing(transcript, SCORE_PARTS)) is not None:
        raise TranscriptError(why[0], line=why[1])
    return transcript


def read_bytes(name: str, stdin: bytes, max_bytes: int) -> bytes:
    """A file's bytes, or what came over standard input for `-`. Raises TranscriptError for more than allowed."""
    raw = stdin if name == STDIN else _read_file(name, max_bytes)
    if len(raw) > max_bytes:
        raise TranscriptError(
            f"The file has more than {max_bytes:,} bytes.", "Split it, or raise the limit with --max-bytes."
        )
    return raw


def _read_file(name: str, max_bytes: int) -> bytes:
    """At most one byte more than allowed, so that a file of any size costs no more than that."""
    path = Path(name)
    if path.is_dir():
        raise TranscriptError("This is a folder.", "Name the files in it that are to be analysed.")
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise TranscriptError(f"The file can't be read: {why}.") from None

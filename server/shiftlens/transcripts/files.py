"""From the bytes of a file on disk to its text; which bytes are an archive instead."""

from __future__ import annotations

import codecs

from shiftlens.errors import TranscriptError

MAX_BYTES = 5_000_000
MAX_ARCHIVE_BYTES = 200_000_000

_PICKLE, _PROTOCOLS = 0x80, range(2, 6)
_PICKLES = (".pkl", ".pickle")
_WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(raw: bytes, max_bytes: int = MAX_BYTES) -> str:
    """The UTF-8 text of `raw`, without its byte order mark. Newlines stay as they are.

    Raises TranscriptError for more than `max_bytes` bytes, for a pickle, and for bytes that are not UTF-8.
    """
    if len(raw) > max_bytes:
        raise TranscriptError(
            f"The file has {len(raw):,} bytes, more than the limit of {max_bytes:,}.",
            "Split it, or raise the limit with the setting `shiftlens.maxFileBytes` or the option `--max-bytes`.",
        )
    if raw.startswith(_WIDE_MARKS):
        raise TranscriptError("The file is UTF-16 or UTF-32, not UTF-8 (byte offset 0).", "Save it as UTF-8.", line=1)
    refuse_pickle(raw)
    mark = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    try:
        return raw[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = mark + error.start
        before = raw[:at]
        line = before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1
        raise TranscriptError(
            f"Byte 0x{raw[at]:02x} at byte offset {at} is not valid UTF-8.",
            "Save the file as UTF-8, or mend that byte.",
            line=line,
        ) from None


def refuse_pickle(start: bytes, name: str = "") -> None:
    """Raises TranscriptError for a file that begins as a pickle of Python does, or that has the name of one.

    Such a file is a program, which is run by whoever reads it: none is ever read.
    """
    # The oldest two protocols are text, and only the name tells them.
    if (len(start) > 1 and start[0] == _PICKLE and start[1] in _PROTOCOLS) or name.lower().endswith(_PICKLES):
        raise TranscriptError(
            "This is a pickle of Python, which is never opened: a pickle runs the code that is in it.",
            "Where you trust it, write it as JSON with the Python that made it (docs/saved-logprobs.md says how), and"
            " name that file.",
        )


def is_archive(raw: bytes) -> bool:
    """Whether the bytes begin as a ZIP archive does."""
    return raw.startswith((b"PK\x03\x04", b"PK\x05\x06"))

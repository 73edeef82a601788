"""The text that a tool is asked about: given with the call, or a file in a folder that the user allows."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftlens.errors import TranscriptError
from shiftlens.page.build import build_page
from shiftlens.page.sources import sources_of, sources_of_text
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import OwnTemplate


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts and files are read.

    `folders` are those in which files may be read, without symlinks; `max_bytes` holds for texts and for files.
    `format_name` None detects the format.
    """

    folders: tuple[Path, ...]
    max_bytes: int
    format_name: str | None = None
    own_template: OwnTemplate | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What was read: a name to show, and the transcript."""

    shown: str
    transcript: Transcript


def source_of(reading: Reading, text: str | None, path: str | None) -> Source:
    """Read what a call names. Raises TranscriptError where it names none, both, or what can't be read."""
    if path is not None and text is None:
        file, raw = read_allowed(reading.folders, path, reading.max_bytes)
        sources = sources_of(raw, file.name, reading.max_bytes, reading.format_name, reading.own_template)
        shown = str(file)
    elif text is not None and path is None:
        if len(text.encode("utf-8", "surrogatepass")) > reading.max_bytes:
            raise _too_large("The text", reading.max_bytes)
        sources = sources_of_text(text, "", reading.format_name, reading.own_template)
        shown = "text"
    else:
        raise TranscriptError("Exactly one of `text` and `path` is needed.", "Give the text, or the path of a file.")
    if sources[0].in_file:
        return Source(shown, sources[0].transcript)
    return Source(shown, build_page(sources).whole_transcript())


def allowed_folder(name: str) -> Path:
    """A folder that the user names, without symlinks. Raises ValueError with a sentence where there is none."""
    try:
        folder = Path(name).expanduser().resolve(strict=True)
    except OSError as error:
        raise ValueError(f"{name!r} can't be allowed: {error.strerror}") from None
    if not folder.is_dir():
        raise ValueError(f"{name!r} is no folder")
    return folder


def read_allowed(folders: Sequence[Path], path: str, max_bytes: int) -> tuple[Path, bytes]:
    """The file that a path leads to, symlinks followed, and its bytes.

    A path that is not absolute is looked for in each folder. Raises TranscriptError where the file is in none of the
    folders, whether it exists or not; where it is no regular file, too large, or can't be read.
    """
    if not folders:
        raise TranscriptError(
            "The user has allowed no folder, so no file can be read.",
            "Give the text itself as `text`, or ask the user to start `shiftlens mcp` with `--allow FOLDER`.",
        )
    for place in [Path(path)] if Path(path).is_absolute() else [folder / path for folder in folders]:
        found = _resolved(place)
        if found is not None and any(found.is_relative_to(folder) for folder in folders):
            return found, _bytes_of(found, max_bytes)
    raise TranscriptError(
        f"{path!r} is no file in a folder that the user allows: {', '.join(map(str, folders))}.",
        "Name a file in one of them (symlinks may not lead out of it), or give the text itself as `text`.",
    )


def _resolved(place: Path) -> Path | None:
    try:
        return place.resolve(strict=True)
    # ValueError for a NUL, RuntimeError for a loop of symlinks in Python 3.12 and older.
    except (OSError, ValueError, RuntimeError):
        return None


def _bytes_of(file: Path, max_bytes: int) -> bytes:
    """The bytes of a file without symlinks in its path. Nothing but a regular file is waited for or read."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(file, flags), "rb") as opened:
            status = os.fstat(opened.fileno())
            # A folder of the path may have become a symlink meanwhile.
            is_same = _resolved(file) == file and os.path.samestat(status, file.stat())
            if not stat.S_ISREG(status.st_mode) or not is_same:
                raise TranscriptError(f"{str(file)!r} is no regular file.", "Name a file that holds a transcript.")
            raw = opened.read(max_bytes + 1)
    except OSError as error:
        raise TranscriptError(
            f"{str(file)!r} can't be read: {error.strerror}.", "Name another file, or give the text itself as `text`."
        ) from None
    if len(raw) > max_bytes:
        raise _too_large(f"{str(file)!r}", max_bytes)
    return raw


def _too_large(what: str, max_bytes: int) -> TranscriptError:
    return TranscriptError(
        f"{what} has more than {max_bytes:,} bytes.",
        "Give a part of it as `text`, or ask the user to start `shiftlens mcp` with a larger `--max-bytes`.",
    )

"""Writing a file so that it is never there in part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def why_unwritable(output: Path) -> str | None:
    """Why no file can be written there, to be told before the work and not after; None where nothing is in the way."""
    if not output.parent.is_dir():
        return f"{output} can't be written: there is no folder {output.parent}"
    if output.exists() and not output.is_file():
        return f"{output} can't be written: it is no ordinary file"
    if not os.access(output.resolve().parent, os.W_OK):
        return f"{output} can't be written: its folder is not yours to write in"
    return None


def write_whole(output: Path, text: str) -> None:
    """Whole or not at all: a file that is there stays until the new one is complete. Raises OSError."""
    with written_whole(output) as file:
        file.write(text)


@contextmanager
def written_whole(output: Path) -> Iterator[TextIO]:
    """A text file to write to, which takes the place of `output` as with `replacing`. Raises OSError."""
    with replacing(output) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """A file of its own to write to, which takes the place of `output` at the end, and goes where anything is raised.

    Raises OSError.
    """
    target = output.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    try:
        yield Path(name)
        # A file of its own would have had these permissions; a temporary one is for its owner alone.
        mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Writing a file so that it is never there in part."""

from __future__ import annotations

import os
import shutil
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


def write_whole(output: Path, content: str | bytes, *, new: bool = False) -> None:
    """Whole or not at all: a file that is there stays until the new one is complete.

    With `new` it stays for good, also one that came to be a moment ago: FileExistsError. Raises OSError.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(output, new=new) as part, part.open("wb") as file:
        file.write(data)


@contextmanager
def written_whole(output: Path) -> Iterator[TextIO]:
    """A text file to write to, which takes the place of `output` as with `replacing`. Raises OSError."""
    with replacing(output) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def replacing(output: Path, *, new: bool = False) -> Iterator[Path]:
    """A file of its own to write to, which takes the place of `output` at the end, and goes where anything is raised.

    With `new` it takes no other's place, also not that of one that came to be a moment ago: FileExistsError. Raises
    OSError.
    """
    target = output.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    try:
        yield Path(name)
        # A file of its own would have had these permissions; a temporary one is for its owner alone.
        mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        if new:
            _put_new(Path(name), target)
        else:
            Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _put_new(complete: Path, target: Path) -> None:
    """Give a complete file its name, if nothing has that. Raises FileExistsError and other OSErrors."""
    try:
        # One step in which nobody else can take the name, unlike a look before a renaming.
        os.link(complete, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: the name is taken first, and given up where the text does not fit.
        with complete.open("rb") as source, target.open("xb") as file:
            try:
                shutil.copyfileobj(source, file)
                file.flush()
            except BaseException:
                target.unlink(missing_ok=True)
                raise
    complete.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

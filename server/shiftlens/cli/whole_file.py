"""Writing a file so that it is never there in part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def why_unwritable(output: Path) -> str | None:
    """Why no file can be written there, to be told before the work and not after; None where nothing is in the way."""
    if not output.parent.is_dir():
        return f"{output} can't be written: there is no folder {output.parent}"
    if output.exists() and not output.is_file():
        return f"{output} can't be written: it is no ordinary file"
    if not os.access(output.resolve().parent, os.W_OK):
        return f"{output} can't be written: its folder is not yours to write in"
    return None


def write_whole(output: Path, content: str | bytes) -> None:
    """Whole or not at all: a file that is there stays until the new one is complete. Raises OSError."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = output.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
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

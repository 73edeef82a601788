"""A folder that takes the place of another one when it is done, and whole; nothing of it is left where it is not."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

if sys.platform != "win32":
    import fcntl

_LOCK = "lock"
_BEFORE = "before"
_SUFFIX = ".part"
_SIGNALS = ("SIGTERM", "SIGHUP")


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """A new folder, which takes the place of `output` at the end, and goes where anything is raised. Raises OSError.

    It is made beside `output`, as are those of other processes. What runs left behind that were killed goes first.
    """
    target = output.resolve()
    _tidy_up(target)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=_SUFFIX))
    lock: IO[bytes] | None = None
    try:
        lock = _new_lock(work)
        made = work / "made"
        made.mkdir()
        yield made
        before = work / _BEFORE
        if target.exists():
            target.rename(before)
        try:
            made.rename(target)
        except OSError:
            # What was there must not go with the folder of the work.
            if before.exists():
                before.rename(target)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            lock.close()


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Have the signals that ask a process to end raise SystemExit here, so that what was begun is tidied up.

    A signal that is ignored already stays so. Only for the main thread.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        # A second one would end the tidying up.
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    taken = [each for each in known if signal.getsignal(each) == signal.SIG_DFL]
    for each in taken:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)


def _tidy_up(target: Path) -> None:
    """Remove the folders of runs that are over; what one of them had put aside of `target` comes back."""
    for work in target.parent.glob(f".{_literal(target.name)}.*{_SUFFIX}"):
        with suppress(OSError):
            lock = _taken_lock(work)
            if lock is None:
                continue
            with lock:
                before = work / _BEFORE
                if before.is_dir() and not target.exists():
                    before.rename(target)
                shutil.rmtree(work)


def _literal(name: str) -> str:
    """A pattern of paths that matches this name alone."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)


def _new_lock(work: Path) -> IO[bytes]:
    """The lock of a folder, which this process has as long as it is open. It has its name once it is taken."""
    fresh = work / f"{_LOCK}.new"
    file = fresh.open("wb")
    if sys.platform != "win32":
        # A file system without locks has folders that nobody else tidies up.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fresh.rename(work / _LOCK)
    return file


def _taken_lock(work: Path) -> IO[bytes] | None:
    """The lock of a folder whose process is over; None where it is not, or that can't be told. Raises OSError."""
    if sys.platform == "win32" or work.is_symlink():
        return None
    file = (work / _LOCK).open("rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file

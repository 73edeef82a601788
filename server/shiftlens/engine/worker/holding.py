"""Holding a place: its lock as long as we live, its socket, and its log as our standard error."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass

from shiftlens.engine.sharing.place import Place

_BACKLOG = 64


@dataclass(frozen=True, slots=True)
class HeldPlace:
    """A place whose lock this process has (`lock` is its descriptor), and the socket that listens there."""

    place: Place
    lock: int
    listener: socket.socket

    def settle(self) -> None:
        """Write down our process id, and have standard error go to the log of this place."""
        # On a full disk the lock holds all the same; only messages about this host can't name it.
        with contextlib.suppress(OSError):
            os.ftruncate(self.lock, 0)
            os.pwrite(self.lock, str(os.getpid()).encode(), 0)
        log = os.open(self.place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.dup2(log, 2)
        os.close(log)

    def give_up(self) -> None:
        """Leave no file behind but a log that says something."""
        self.listener.close()
        # While the lock is ours, these files are; whoever waits for the lock finds that it is another file now.
        empty = not self.place.log.exists() or self.place.log.stat().st_size == 0
        for path in (self.place.socket, *([self.place.log] if empty else []), self.place.lock):
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(self.lock)


def hold(place: Place) -> HeldPlace | None:
    """Take a place and listen there; None where somebody else holds it. Raises OSError."""
    lock = _locked(place)
    if lock is None:
        return None
    try:
        return HeldPlace(place, lock, _listening(place))
    except BaseException:
        os.close(lock)
        raise


def _locked(place: Place) -> int | None:
    while True:
        lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), place.lock.stat()):
                return lock
        os.close(lock)


def _listening(place: Place) -> socket.socket:
    """Take the place of whatever socket an earlier host left behind."""
    place.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(place.socket))
    place.socket.chmod(0o600)
    listener.listen(_BACKLOG)
    return listener

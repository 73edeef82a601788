"""The lock of an endpoint. The process that has it is the host: it listens on the socket and writes the log."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass

from shiftlens.engine.sharing.endpoint import Endpoint

_BACKLOG = 64


@dataclass(frozen=True, slots=True)
class LockedEndpoint:
    """An endpoint whose lock this process has, as long as it lives: `descriptor` is the open lock file."""

    endpoint: Endpoint
    descriptor: int
    listener: socket.socket

    def settle(self) -> None:
        """Write our process id into the lock file, and have standard error go to the log."""
        # On a full disk the process still has the lock; only messages about this host lack its process id.
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, str(os.getpid()).encode(), 0)
        log = os.open(self.endpoint.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.dup2(log, 2)
        os.close(log)

    def give_up(self) -> None:
        """Leave no file behind but a log that says something."""
        self.listener.close()
        # While the lock is ours, so are these files. A process that waits for the lock finds that its file is gone.
        log = self.endpoint.log
        empty = not log.exists() or log.stat().st_size == 0
        for path in (self.endpoint.socket, *([log] if empty else []), self.endpoint.lock):
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(self.descriptor)


def lock_endpoint(endpoint: Endpoint) -> LockedEndpoint | None:
    """Take the lock of an endpoint and listen there; None where another process has it. Raises OSError."""
    descriptor = _locked(endpoint)
    if descriptor is None:
        return None
    try:
        return LockedEndpoint(endpoint, descriptor, _listening(endpoint))
    except BaseException:
        os.close(descriptor)
        raise


def _locked(endpoint: Endpoint) -> int | None:
    while True:
        lock = os.open(endpoint.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), endpoint.lock.stat()):
                return lock
        os.close(lock)


def _listening(endpoint: Endpoint) -> socket.socket:
    """A socket that replaces whatever an earlier host left behind."""
    endpoint.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(endpoint.socket))
    endpoint.socket.chmod(0o600)
    listener.listen(_BACKLOG)
    return listener

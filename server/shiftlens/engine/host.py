"""The host of one shared engine: lets the clients of one user in, passes jobs and replies on, ends when idle.

`python -m shiftlens.engine.host` is given an Order on standard input. It ends with 0 as soon as a host listens; from
then on a child of it does, in the background. The models are in a process of their own below it, so that whatever
happens to that one, every client hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec

from shiftlens.engine.host_protocol import Order
from shiftlens.engine.hosting import Host
from shiftlens.engine.place import Place, program_build, what_is_unfit
from shiftlens.engine.urgency import make_session_less_urgent

_LOCK_SECONDS = 20.0
_LOCK_POLL_SECONDS = 0.05
_BACKLOG = 64


def main() -> None:
    os.umask(0o077)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    place = Place(Path(order.folder), order.name)
    if (problem := what_is_unfit(place.folder)) is not None:
        sys.exit(problem)
    if order.build != program_build():
        sys.exit("ShiftLens was changed on disk: start its clients again")
    lock = _take_lock(place)
    if lock is None:
        return
    listener = _listen(place)
    make_session_less_urgent()
    if os.fork() > 0:
        os._exit(0)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    asyncio.run(_serve(place, order, listener))


async def _serve(place: Place, order: Order, listener: socket.socket) -> None:
    host = Host(place, order.pair, order.build)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, host.end)
    try:
        await host.serve(listener)
    finally:
        # While the lock is ours, these files are; whoever waits for the lock finds that it is another file now.
        empty = not place.log.exists() or place.log.stat().st_size == 0
        for path in (place.socket, *([place.log] if empty else []), place.lock):
            with contextlib.suppress(OSError):
                path.unlink()


def _take_lock(place: Place) -> int | None:
    """The lock's descriptor, or None where another host has it and listens. Exits where that one does not."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            if _somebody_listens(place):
                return None
            if time.monotonic() > deadline:
                sys.exit(f"process {place.host_pid()} holds {place.lock}, but does not listen: end it")
            time.sleep(_LOCK_POLL_SECONDS)
            continue
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), place.lock.stat()):
                return lock
        os.close(lock)


def _somebody_listens(place: Place) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(place.socket))
        except OSError:
            return False
    return True


def _listen(place: Place) -> socket.socket:
    """Take the place of whatever socket an earlier host left behind."""
    place.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(place.socket))
    place.socket.chmod(0o600)
    listener.listen(_BACKLOG)
    return listener


if __name__ == "__main__":
    main()

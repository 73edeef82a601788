"""The host process of one shared engine: lets the clients of one user in, passes jobs and replies on, ends when idle.

`python -m shiftlens.engine.sharing.host` is given an Order on standard input. It ends with 0 as soon as a host listens;
from then on a child of it does, in the background. The models are in another process below that one, so that the host
can tell every client what has happened to them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec

from shiftlens.engine.sharing.endpoint import Endpoint, program_build, what_is_unfit
from shiftlens.engine.sharing.host_protocol import Order
from shiftlens.engine.sharing.hosting import Host
from shiftlens.engine.sharing.lock import LockedEndpoint, lock_endpoint
from shiftlens.engine.worker.urgency import leads_session, set_session_urgency

_LOCK_SECONDS = 20.0
_LOCK_POLL_SECONDS = 0.05


def main() -> None:
    os.umask(0o077)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    endpoint = Endpoint(Path(order.folder), order.name)
    if (problem := what_is_unfit(endpoint.folder)) is not None:
        sys.exit(problem)
    if order.build != program_build():
        sys.exit("ShiftLens was changed on disk: start its clients again")
    locked = _locked(endpoint)
    if locked is None:
        return
    own_session = leads_session()
    if own_session and order.background:
        set_session_urgency(less=True)
    if os.fork() > 0:
        os._exit(0)
    locked.settle()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    asyncio.run(_serve(locked, order, own_session=own_session))


async def _serve(locked: LockedEndpoint, order: Order, *, own_session: bool) -> None:
    host = Host(locked, order, own_session=own_session)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, host.end)
    try:
        await host.serve()
    finally:
        locked.give_up()


def _locked(endpoint: Endpoint) -> LockedEndpoint | None:
    """The endpoint, locked; None where another host has the lock and listens. Exits where that one does not listen."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while (locked := lock_endpoint(endpoint)) is None:
        if _somebody_listens(endpoint):
            return None
        if time.monotonic() > deadline:
            sys.exit(f"process {endpoint.host_pid()} has locked {endpoint.lock}, but does not listen: end it")
        time.sleep(_LOCK_POLL_SECONDS)
    return locked


def _somebody_listens(endpoint: Endpoint) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(endpoint.socket))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main()

"""The host of one shared engine: lets the clients of one user in, passes jobs and replies on, ends when idle.

`python -m shiftlens.engine.sharing.host` is given an Order on standard input. It ends with 0 as soon as a host listens;
from then on a child of it does, in the background. The models are in a process of their own below it, so that whatever
happens to that one, every client hears of it.
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

from shiftlens.engine.sharing.host_protocol import Order
from shiftlens.engine.sharing.hosting import Host
from shiftlens.engine.sharing.place import Place, program_build, what_is_unfit
from shiftlens.engine.worker.holding import HeldPlace, hold
from shiftlens.engine.worker.urgency import leads_session, set_session_urgency

_LOCK_SECONDS = 20.0
_LOCK_POLL_SECONDS = 0.05


def main() -> None:
    os.umask(0o077)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    place = Place(Path(order.folder), order.name)
    if (problem := what_is_unfit(place.folder)) is not None:
        sys.exit(problem)
    if order.build != program_build():
        sys.exit("ShiftLens was changed on disk: start its clients again")
    held = _held(place)
    if held is None:
        return
    own_session = leads_session()
    if own_session and order.background:
        set_session_urgency(less=True)
    if os.fork() > 0:
        os._exit(0)
    held.settle()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    asyncio.run(_serve(held, order, own_session=own_session))


async def _serve(held: HeldPlace, order: Order, *, own_session: bool) -> None:
    host = Host(held, order, own_session=own_session)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, host.end)
    try:
        await host.serve()
    finally:
        host.held.give_up()


def _held(place: Place) -> HeldPlace | None:
    """The place, or None where another host has it and listens. Exits where that one does not."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while (held := hold(place)) is None:
        if _somebody_listens(place):
            return None
        if time.monotonic() > deadline:
            sys.exit(f"process {place.host_pid()} holds {place.lock}, but does not listen: end it")
        time.sleep(_LOCK_POLL_SECONDS)
    return held


def _somebody_listens(place: Place) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(place.socket))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main()

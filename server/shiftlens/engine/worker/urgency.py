"""How urgent the engine is to the operating system: what a user waits for goes before what an editor does by itself.

An engine that scores for an editor takes every core while the user types, so it is less urgent than other programs. One
that a command in a terminal waits for is as urgent as that command. On a machine that does nothing else there is no
difference. Where others want every core too, a less urgent engine still gets a part.

An engine that serves both is as urgent as the command until the command leaves. Niceness only grows (an ordinary user
may not lower it), so an engine that has served an editor alone stays less urgent, except where Linux groups processes
by session: the urgency of such a group can be changed both ways.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

NICENESS = 4
_MOST = 19
_TRIES = 3
_SECONDS_BETWEEN_TRIES = 0.12
_AUTOGROUP = Path("/proc/self/autogroup")


def niceness() -> int | None:
    """Of this process; None where the system has no such thing."""
    return os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else None


def be_less_urgent() -> None:
    """Of this process and its children to come; call it once."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def make_less_urgent(pid: int) -> None:
    """Have all threads of a child process as `be_less_urgent` would have. One that has ended is left alone."""
    if not hasattr(os, "setpriority"):
        return
    niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, _MOST)
    threads = Path(f"/proc/{pid}/task")
    # Linux counts by thread. A new thread begins with the niceness of the one that made it: the second look is for
    # those that were made during the first.
    for _ in range(2):
        with contextlib.suppress(OSError):
            ids = [int(entry.name) for entry in threads.iterdir()] if threads.is_dir() else [pid]
            for each in ids:
                with contextlib.suppress(OSError):
                    if os.getpriority(os.PRIO_PROCESS, each) < niceness:
                        os.setpriority(os.PRIO_PROCESS, each, niceness)


def leads_session() -> bool:
    """Whether this process has begun a session of its own, so that no terminal's programs are in it."""
    return os.getsid(0) == os.getpid()


def set_session_urgency(*, less: bool) -> None:
    """Have all processes of this session less urgent than others, or as urgent. May block for some tenths of a second.

    Where Linux groups processes by session to share out the cores, niceness counts only within such a group. Nothing
    where there are no such groups.
    """
    for _ in range(_TRIES):
        try:
            _AUTOGROUP.write_text(str(NICENESS if less else 0), encoding="ascii")
        except BlockingIOError:
            # The kernel takes one such wish in a tenth of a second, of all processes.
            time.sleep(_SECONDS_BETWEEN_TRIES)
        except OSError:
            return
        else:
            return

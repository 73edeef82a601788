"""How urgent the engine is to the operating system: scoring takes every core, and what a user waits for goes first.

On a machine that does nothing else this costs nothing. Where others want every core too, the engine still gets a part.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

NICENESS = 5
_TRIES = 3
_SECONDS_BETWEEN_TRIES = 0.12
_AUTOGROUP = Path("/proc/self/autogroup")


def be_less_urgent() -> None:
    """Of this process and its children to come; call it once."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def make_session_less_urgent() -> None:
    """Of all processes of the session that this process leads, nothing where it leads none.

    Where Linux groups processes by session to share out the cores, niceness counts only within such a group.
    """
    if os.getsid(0) != os.getpid():
        return
    for _ in range(_TRIES):
        try:
            _AUTOGROUP.write_text(str(NICENESS), encoding="ascii")
        except BlockingIOError:
            # The kernel takes one such wish in a tenth of a second, of all processes.
            time.sleep(_SECONDS_BETWEEN_TRIES)
        except OSError:
            return
        else:
            return

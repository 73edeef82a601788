"""Engines of tests are forked from a process that has imported torch, which takes seconds of processor time each time.

What runs is the engine's own program. The process that a test's server or client starts stays, under the id that its
parent knows: it hands its standard streams to the fork, and ends as the fork ends. If it is killed, the fork is. What
is about the process itself (its memory, its urgency, its imports) is for engines that start by themselves: their tests
take the fixture `engines_start_cold`. An engine also starts by itself where its environment or its limits are
others than those that torch was imported under, and where a system has no `pidfd_open`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

SOCKET_VARIABLE = "SHIFTLENS_TESTS_WARM_START"
"""The environment variable that names the socket of the process that forks. Without it, engines start cold."""

TAKEN = b"y"
REFUSED = b"n"
_LEFT_OUT = ("SHIFTLENS_", "PYTEST_", "COLUMNS", "LINES", "TORCHINDUCTOR_CACHE_DIR")
"""What an engine reads only as it runs, what pytest's workers set, and what torch sets in a test that imports it."""

_SERVER = str(Path(__file__).parents[2] / "server")


def conditions() -> dict[str, object]:
    """What libraries may read of a process while they are imported; what differs between tests is left out."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    paths = environment.pop("PYTHONPATH", "").split(os.pathsep)
    limits = {
        name: list(resource.getrlimit(getattr(resource, name))) for name in dir(resource) if name[:7] == "RLIMIT_"
    }
    return {
        "environment": environment,
        "paths": [path for path in paths if path != _SERVER],
        "limits": limits,
        "executable": sys.executable,
    }


def name_of_fork(pid: int) -> str:
    """What the system calls the process that is the engine for the one with this id."""
    return f"engine-{pid}"


def become_engine(arguments: list[str]) -> None:
    """Have an engine forked, and end with it. Returns where none could be had: this process is then the engine."""
    address = os.environ.get(SOCKET_VARIABLE)
    if not address:
        return
    asked = {
        "process": os.getpid(),
        "arguments": arguments,
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "conditions": conditions(),
    }
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        socket.send_fds(connection, [b"f"], [0, 1, 2])
        connection.sendall(json.dumps(asked).encode() + b"\n")
        if connection.recv(1) != TAKEN:
            return
    except OSError:
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    said = connection.makefile("rb").readline()
    code = int(said) if said else -signal.SIGKILL
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)

"""Engines and language servers of tests are forked from processes that have imported what they import.

That takes an engine four seconds of processor time, nearly all for torch, and a server most of one. What runs is the
program itself. The process that a test starts stays, under the id that its parent knows: it hands its standard streams
to the fork, passes signals on, and ends as the fork ends. If it is killed, the fork is. What is about the process
itself (its memory, its urgency, its imports) is for processes that start by themselves: their tests take the fixture
`processes_start_cold`. One also starts by itself where its environment or its limits are others than those that the
libraries were imported under, and where a system has no `pidfd_open`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

FOLDER_VARIABLE = "SHIFTLENS_TESTS_WARM_START"
"""The environment variable that names the folder with the sockets of the processes that fork. Without it, none is."""

REFUSED = b"0\n"
"""The answer in place of the id of a fork."""

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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
    """What the system calls the process that was forked for the one with this id."""
    return f"fork-{pid}"


def become(program: str, arguments: list[str]) -> None:
    """Have a program forked, and end with it. Returns where none could be had: this process is then the program."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
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
        connection.connect(f"{folder}/{program}")
        socket.send_fds(connection, [b"f"], [0, 1, 2])
        connection.sendall(json.dumps(asked).encode() + b"\n")
        answers = connection.makefile("rb")
        fork = int(answers.readline() or REFUSED)
    except OSError:
        return
    if not fork:
        return
    for passed_on in _PASSED_ON:
        signal.signal(passed_on, lambda number, _: os.kill(fork, number))
    said = answers.readline()
    code = int(said) if said else -signal.SIGKILL
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)

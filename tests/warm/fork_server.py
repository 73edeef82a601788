"""The process that engines of tests are forked from: `python fork_server.py DESCRIPTOR`, of a listening socket.

It imports torch when the first engine is asked for, and ends, with its forks, when its standard input does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from warm_start import REFUSED, TAKEN, conditions, name_of_fork

from shiftlens.engine.main import main, set_up_libraries

# What an engine imports while it loads and runs models of the tests.
MODULES = (
    "shiftlens.engine.worker.jobs",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
)
_READ_SECONDS = 10.0


def serve(listener: socket.socket) -> None:
    """Fork engines until standard input ends."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin.buffer, selectors.EVENT_READ)
    conditions_here = json.loads(json.dumps(conditions()))
    forks: dict[int, socket.socket] = {}
    imported = False
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin.buffer:
                if not os.read(0, 1):
                    for pid in forks:
                        os.kill(pid, signal.SIGKILL)
                    return
            elif key.fileobj is listener:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError, ValueError):
                    asked, streams = _asked(connection)
                    if asked["conditions"] == conditions_here:
                        if not imported:
                            _import()
                            imported = True
                        connection.send(TAKEN)
                        pid = os.fork()
                        if pid == 0:
                            selector.close()
                            _be_engine(asked, streams)
                        forks[pid] = connection
                        selector.register(connection, selectors.EVENT_READ, pid)
                        selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                    else:
                        connection.send(REFUSED)
                        connection.close()
                    for stream in streams:
                        os.close(stream)
            elif isinstance(key.fileobj, int):
                pid = key.data
                _, status = os.waitpid(pid, 0)
                selector.unregister(key.fileobj)
                os.close(key.fileobj)
                connection = forks.pop(pid)
                with contextlib.suppress(KeyError):
                    selector.unregister(connection)
                with contextlib.suppress(OSError):
                    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                connection.close()
            elif key.data in forks:
                # Who asked for it was killed.
                selector.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)


def _asked(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    connection.settimeout(_READ_SECONDS)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as file:
        asked: dict[str, Any] = json.loads(file.readline())
    return asked, streams


def _import() -> None:
    set_up_libraries()
    # numpy's library of matrix products would start threads at once.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in MODULES:
        importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads run after the imports: a fork would lack all but one.")
    gc.collect()
    gc.freeze()


def _be_engine(asked: dict[str, Any], streams: list[int]) -> NoReturn:
    try:
        os.setsid()
        Path("/proc/self/comm").write_text(name_of_fork(asked["process"]), encoding="ascii")
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv = ["shiftlens.engine", *asked["arguments"]]
        main()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))

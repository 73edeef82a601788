"""The process that engines or servers of tests are forked from: `python fork_server.py PROGRAM DESCRIPTOR`.

The descriptor is of a listening socket. The process imports what the program imports when the first one is asked for,
and ends, with its forks, when its standard input does.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from warm_start import REFUSED, conditions, name_of_fork

from shiftlens.engine.main import set_up_libraries

MODULES = {
    "shiftlens.engine": (
        "shiftlens.engine.worker.jobs",
        "transformers.modeling_utils",
        "transformers.models.auto.modeling_auto",
        "transformers.models.gpt2.modeling_gpt2",
        "transformers.models.llama.modeling_llama",
    ),
    "shiftlens.lsp": ("shiftlens.lsp.server.serving",),
}
"""What each program imports until it has done what most tests have it do."""

_READ_SECONDS = 10.0


class ForkServer:
    """Forks one program. It has one thread, as what forks has to."""

    def __init__(self, program: str, listener: socket.socket) -> None:
        self._program = program
        self._listener = listener
        self._conditions = json.loads(json.dumps(conditions()))
        self._forks: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._answer)
        self._selector.register(0, selectors.EVENT_READ, self._end)

    def serve(self) -> NoReturn:
        """Fork until standard input ends, and end then."""
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _end(self) -> None:
        if not os.read(0, 1):
            for pid in self._forks:
                os.kill(pid, signal.SIGKILL)
            sys.exit()

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with contextlib.suppress(OSError, ValueError):
            connection.settimeout(_READ_SECONDS)
            _, streams, _, _ = socket.recv_fds(connection, 1, 3)
            with connection.makefile("rb") as file:
                asked = json.loads(file.readline())
            if asked["conditions"] == self._conditions:
                self._fork(connection, asked, streams)
            else:
                connection.sendall(REFUSED)
                connection.close()
            for stream in streams:
                os.close(stream)

    def _fork(self, connection: socket.socket, asked: dict[str, Any], streams: list[int]) -> None:
        _import(MODULES[self._program])
        pid = os.fork()
        if pid == 0:
            self._selector.close()
            for other in (self._listener, connection, *self._forks.values()):
                other.close()
            _run(self._program, asked, streams)
        self._forks[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ, functools.partial(self._kill, pid))
        ends = os.pidfd_open(pid)
        self._selector.register(ends, selectors.EVENT_READ, functools.partial(self._tell_end, pid, ends))
        connection.sendall(f"{pid}\n".encode())

    def _kill(self, pid: int) -> None:
        """Whoever asked for the fork was killed."""
        if pid in self._forks:
            self._selector.unregister(self._forks[pid])
            os.kill(pid, signal.SIGKILL)

    def _tell_end(self, pid: int, ends: int) -> None:
        _, status = os.waitpid(pid, 0)
        self._selector.unregister(ends)
        os.close(ends)
        connection = self._forks.pop(pid)
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection)
        with contextlib.suppress(OSError):
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        connection.close()


@functools.cache
def _import(modules: tuple[str, ...]) -> None:
    set_up_libraries()
    # numpy's library of matrix products would start threads at once.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in modules:
        importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads run after the imports: a fork would lack all but one.")
    gc.collect()
    gc.freeze()


def _run(program: str, asked: dict[str, Any], streams: list[int]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        Path("/proc/self/comm").write_text(name_of_fork(asked["process"]), encoding="ascii")
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv = [program, *asked["arguments"]]
        runpy.run_module(program, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    ForkServer(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))).serve()

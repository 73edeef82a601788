"""Joining the engine that several clients share, and starting it where none runs."""

from __future__ import annotations

import asyncio
import os
import site
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

import shiftlens
from shiftlens.engine.frames import decode_from_host, encode_frame, read_body
from shiftlens.engine.sharing.endpoint import Endpoint
from shiftlens.engine.sharing.host_protocol import FromClient, FromHost, Hello, Order, Welcome
from shiftlens.engine.sharing.peer import is_our_user
from shiftlens.engine.worker_process import STDERR_LINES_SHOWN, not_started
from shiftlens.errors import EngineError

SUPPORTED = os.name == "posix"
"""Elsewhere asyncio has no Unix sockets, and each client has an engine of its own."""

_ANSWER_SECONDS = 20.0
_TRIES = 5


class NoHost(Exception):
    """Nobody listens at this endpoint, or whoever did has just left."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection to a host."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def post(self, message: FromClient, limit: int = 1 << 30) -> None:
        """Send without waiting. Raises ValueError for a message above `limit` bytes."""
        frame = encode_frame(message, limit)
        if not self.writer.is_closing():
            self.writer.write(frame)

    async def receive(self) -> FromHost:
        """Raises IncompleteReadError or OSError at the end, ValueError or DecodeError for what is no message."""
        return decode_from_host(await read_body(self.reader))


async def join(endpoint: Endpoint, hello: Hello, *, allow_pickle: bool) -> Connection:
    """A connection to the host of this endpoint, welcomed; starts one where none runs. Raises EngineError."""
    for _ in range(_TRIES):
        try:
            return await join_running(endpoint, hello, _ANSWER_SECONDS)
        except NoHost:
            await _start_host(endpoint, hello, allow_pickle=allow_pickle)
    raise EngineError("The engine ended each time that it was started.", f"Its log is {endpoint.log}.")


async def join_running(endpoint: Endpoint, hello: Hello, seconds: float = _ANSWER_SECONDS) -> Connection:
    """The same, but starts nothing, and waits for an answer no longer than that. Raises NoHost, EngineError."""
    connection = await connect(endpoint)
    try:
        connection.post(hello)
        answer = await asyncio.wait_for(connection.receive(), seconds)
    except asyncio.TimeoutError:
        connection.writer.close()
        raise no_answer(endpoint) from None
    except (OSError, asyncio.IncompleteReadError) as error:
        connection.writer.close()
        raise NoHost from error
    except (ValueError, msgspec.DecodeError) as error:
        connection.writer.close()
        raise _changed() from error
    except BaseException:
        connection.writer.close()
        raise
    if isinstance(answer, Welcome) and answer.build == hello.build:
        return connection
    connection.writer.close()
    if isinstance(answer, Welcome):
        raise _changed()
    raise NoHost


async def connect(endpoint: Endpoint) -> Connection:
    """Connect to the host. Raises NoHost where no process of this user listens."""
    if not endpoint.has_socket_of_ours():
        raise NoHost
    try:
        reader, writer = await asyncio.open_unix_connection(str(endpoint.socket))
    except OSError as error:
        raise NoHost from error
    if not is_our_user(writer.get_extra_info("socket")):
        writer.close()
        raise NoHost
    return Connection(reader, writer)


def host_environment() -> dict[str, str]:
    """Ours, such that the host finds this package from its own working folder."""
    environment = dict(os.environ)
    paths = [os.path.abspath(p) for p in environment.get("PYTHONPATH", "").split(os.pathsep) if p]  # noqa: PTH100
    root = str(Path(shiftlens.__file__).absolute().parent.parent)
    if root not in (*paths, *site.getsitepackages(), site.getusersitepackages()):
        paths.append(root)
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


async def _start_host(endpoint: Endpoint, hello: Hello, *, allow_pickle: bool) -> None:
    """Returns when a host listens at the endpoint, this one or another's. Raises EngineError.

    The process that is started here ends when its child listens. The child has a session of its own, so that neither
    an interrupt in our terminal nor our end reaches it.
    """
    order = Order(
        folder=str(endpoint.folder),
        name=endpoint.name,
        build=hello.build,
        allow_pickle=allow_pickle,
        background=hello.background,
    )
    try:
        log = os.open(endpoint.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            launcher = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "shiftlens.engine.sharing.host",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                cwd=endpoint.folder,
                env=host_environment(),
                start_new_session=True,
            )
        finally:
            os.close(log)
    except OSError as error:
        raise not_started(error.strerror or str(error)) from error
    await launcher.communicate(msgspec.json.encode(order))
    if launcher.returncode:
        said = " | ".join(endpoint.last_lines(STDERR_LINES_SHOWN))
        raise not_started(said or f"exit code {launcher.returncode}")


def no_answer(endpoint: Endpoint) -> EngineError:
    """The error of a host that has stopped, or is stuck."""
    pid = endpoint.host_pid()
    return EngineError(
        f"The engine that runs (process {pid}) does not answer.", f"End it, for example with `kill -9 {pid}`."
    )


def _changed() -> EngineError:
    return EngineError(
        "ShiftLens was changed on disk while it runs.", 'Start it again (in an editor: "ShiftLens: Restart Server").'
    )

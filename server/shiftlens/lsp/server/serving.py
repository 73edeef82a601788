"""The language server, put together and run."""

from __future__ import annotations

import gc
import os
import socket
import sys
from typing import BinaryIO

from shiftlens.lsp.server.alternatives import register_alternatives
from shiftlens.lsp.server.commands import register_commands
from shiftlens.lsp.server.comparing import register_comparing
from shiftlens.lsp.server.continuing import register_continuing
from shiftlens.lsp.server.cross_sampling import register_cross_sampling
from shiftlens.lsp.server.features import register_features
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.log import configure_logging
from shiftlens.lsp.server.navigation import register_navigation
from shiftlens.lsp.server.reviewing import register_reviewing
from shiftlens.lsp.server.transport import over_stdio, over_tcp

_SWITCH_SECONDS = 0.0005


def create_server() -> ShiftLensServer:
    """A server with every feature and command, not started."""
    server = ShiftLensServer()
    register_features(server)
    register_commands(server)
    register_reviewing(server)
    register_navigation(server)
    register_continuing(server)
    register_cross_sampling(server)
    register_comparing(server)
    register_alternatives(server)
    return server


def serve(*, tcp: bool = False, host: str = "127.0.0.1", port: int = 0, log_level: str = "warning") -> None:
    """Run a language server until its client leaves, then exit the process.

    The exit code is 0 after an orderly `shutdown`, as the protocol asks, else 1. Over TCP one client is served.
    """
    configure_logging(log_level)
    # Beside a thread that computes, the event loop waits this long each time it wants to go on: by default 5 ms.
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = create_server()
    # What there is now stays to the end: the collector, if it was off till now, need not look at it again.
    gc.freeze()
    gc.enable()
    if tcp:
        port = port or _free_port(host)
        sys.stderr.write(f"shiftlens: listening on {host}:{port}\n")
        sys.stderr.write(f"shiftlens: whoever reaches {host}, any user of this machine too, can be the client\n")
        sys.stderr.flush()
        over_tcp(server, host, port)
    else:
        stdin, stdout = _take_wire()
        over_stdio(server, stdin, stdout)
    sys.exit(0 if server.protocol.was_shut_down else 1)


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def _take_wire() -> tuple[BinaryIO, BinaryIO]:
    """Keep the standard streams for the protocol; what anything else prints goes to stderr."""
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 (a device, no path of ours)
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stdin, stdout

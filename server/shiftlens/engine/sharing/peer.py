"""The user whose process is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

_CREDENTIALS = struct.Struct("3i")


def is_our_user(connection: Any) -> bool:
    """Whether the other end runs as this user (a socket, or asyncio's wrapper of one).

    Where the system has no SO_PEERCRED, the folder that only this user can open is all there is.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    raw = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return bool(uid == os.geteuid())

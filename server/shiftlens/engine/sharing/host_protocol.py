"""The messages between clients and the host, which lets several of them use one engine.

A client says Hello, then sends the requests of `protocol`, and Goodbye at the end. The host passes on what its engine
replies, under the numbers that each client gave its jobs.
"""

from __future__ import annotations

import msgspec

from shiftlens.engine.protocol import ModelInMemory, Reply, Request

HOST_PROTOCOL_VERSION = 6
"""Raise it when a message here or in `protocol` changes: it is part of an endpoint's name, so that hosts and clients of
two versions never meet."""

MAX_REQUEST_BYTES = 1 << 28


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is started for; see `endpoint` for `folder`, `name` and `build`."""

    folder: str
    name: str
    build: str
    allow_pickle: bool
    background: bool


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first message of a client, sent again when `idle_seconds` changes: how long the engine may be without work, 0
    for ever.

    `background` says that the client is an editor, which asks by itself; else a user waits for what it does.
    """

    build: str
    idle_seconds: float
    background: bool = False


class Goodbye(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The client leaves. With `release` it will not be back soon: the engine ends at once if nobody else is there."""

    release: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is running here? Needs no Hello, and does not count as use."""


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answer to Hello. `build` is the host's own."""

    build: str


class EngineProcess(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The engine's process id from now on, None while there is none."""

    pid: int | None


class Logged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A line that the engine wrote to its stderr."""

    line: str


class Leaving(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The host ends, and what is unanswered was not looked at: another host can be asked the same."""


class Running(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answer to Look. `pid` is the host's; bytes are of the engine process, None where they can't be told."""

    pid: int
    engine_pid: int | None
    allow_pickle: bool
    models: tuple[ModelInMemory, ...]
    version: str
    started: float
    clients: int
    jobs: int
    resident_bytes: int | None
    kv_bytes: int
    cuda_bytes: int


FromClient = Request | Hello | Goodbye | Look
FromHost = Reply | Welcome | EngineProcess | Logged | Leaving | Running

"""Connections to one model server over HTTP: how long they are waited for and kept, whose certificates are trusted,
and through which proxy they go."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
import msgspec

from shiftlens.errors import ModelError

IN_FLIGHT = 16
"""How many requests a server has at a time: enough for it to batch them."""

_TO_ASK = 2
"""How many connections there are to ask what a server is."""

_KEPT = 60.0
"""How long, in seconds, one of these is kept that is not used; servers close them sooner."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    - connect: for a connection; answer: for an answer, or its next bytes.
    - again: how long a request is tried again that failed in a way that passes (a lost connection, a busy server).
    - at_first: the same for a server that never answered yet.
    - alive: for an answer to a small request, where a large one went without.
    - first_wait, longest_wait: the bounds of the waits between two tries, which double.
    - idle: for how long a connection may have been unused that a text is sent over. Servers close it after some time
      (vLLM after 5 seconds), and one that is busy closes it also where a request has come in just before.
    """

    connect: float = 10.0
    answer: float = 300.0
    again: float = 180.0
    at_first: float = 4.0
    alive: float = 60.0
    first_wait: float = 0.5
    longest_wait: float = 15.0
    idle: float = 3.0


class Connections:
    """`opened` counts how many were made to ask what the server is. To be used in the event loop of `io_loop`."""

    def __init__(self, url: str, key: str | None, patience: Patience) -> None:
        self._url, self._patience = url, patience
        self.opened = 0
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._tls = _tls()
        self._asking: aiohttp.ClientSession | None = None
        self._sending: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        for session in (self._asking, self._sending):
            if session is not None:
                await session.close()
        self._asking = self._sending = None

    async def request(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """The status, the headers and the body of an answer. Redirects are not followed: the text goes to the server
        that was named, and to no other."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        session = self._session_to_ask() if body is None else self._session_to_send()
        async with session.request(
            method, self._url + path, data=data, headers=headers, proxy=_proxy(self._url), allow_redirects=False
        ) as answer:
            return answer.status, answer.headers, await answer.read()

    def _session_to_ask(self) -> aiohttp.ClientSession:
        """What the server is can be asked again, so that a connection is used for as long as it stays open: while it
        does, the server is the same."""
        if self._asking is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(self._count_opened)
            self._asking = self._session(trace, limit=_TO_ASK, keepalive_timeout=_KEPT)
        return self._asking

    def _session_to_send(self) -> aiohttp.ClientSession:
        if self._sending is None:
            self._sending = self._session(limit=IN_FLIGHT, keepalive_timeout=self._patience.idle)
        return self._sending

    def _session(self, *traces: aiohttp.TraceConfig, limit: int, keepalive_timeout: float) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=limit, keepalive_timeout=keepalive_timeout),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._patience.connect, sock_read=self._patience.answer
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=list(traces),
        )

    async def _count_opened(self, *_told: object) -> None:
        self.opened += 1


def _tls() -> ssl.SSLContext:
    """Certificates are verified by the authorities of the system and those that browsers trust, or the user's own."""
    context = ssl.create_default_context()
    if os.environ.keys().isdisjoint(("SSL_CERT_FILE", "SSL_CERT_DIR")):
        context.load_verify_locations(certifi.where())
    return context


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a server. Raises ModelError for one that can't be used."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    kind, has_kind, _ = proxy.partition("://")
    if not has_kind:
        return f"http://{proxy}"
    if kind not in ("http", "https"):
        raise ModelError(
            f"The proxy for {url} is of the kind {kind}, and only those of http and https can be used.",
            "Name another one in the environment, or the server's host in NO_PROXY, and start the engine anew.",
        )
    return proxy

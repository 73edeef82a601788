"""Requests to one model server: what is worth another try, and what can't be mended by one."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from typing import Any

import aiohttp
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from shiftlens.backends.connections import Connections, Patience
from shiftlens.errors import ModelError

_BUSY = frozenset({408, 425, 429, 500})
_MAY_BE_ANOTHER = frozenset({502, 503, 504})
"""What a gateway answers while the server behind it is away; another one may come back."""

_BAD_REQUEST = 400
_FAULTY = 500
_TRIES_OF_FAULTY = 5
"""How often a request is tried that the server answers with 500: there may be a fault in it that one text meets."""

_LONGEST_TOLD = 300


class Unanswered(Exception):
    """No answer this time; why, as a part of a sentence that follows "the server". `after` is when to try again.

    `faulty`: the server answers, but has met a fault.
    """

    def __init__(self, why: str, after: float = 0.0, *, faulty: bool = False) -> None:
        super().__init__(why)
        self.why, self.after, self.faulty = why, after, faulty


class Refusal(Exception):
    """The server refuses a request, and would again."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(status, told)
        self.status, self.told = status, told


class Exchange:
    """What is asked of one server. `lost` counts how often an answer was lost with its connection, `opened` how many
    connections were made to ask what the server is. `trouble` says why a request is about to be tried again, "" since
    one was answered. To be used in the event loop of `io_loop`.
    """

    def __init__(self, url: str, key: str | None, patience: Patience) -> None:
        self.url, self.patience = url, patience
        self.lost = 0
        self.trouble = ""
        self._has_answered = False
        self._connections = Connections(url, key, patience)

    @property
    def opened(self) -> int:
        return self._connections.opened

    async def close(self) -> None:
        await self._connections.close()

    def tries(self) -> AsyncRetrying:
        """Tries of something that raises Unanswered, with waits between them; the last one is raised.

        How long they go on counts from the first failure: before, a request may have waited for others.
        """
        patience = self.patience
        usual = wait_random_exponential(multiplier=patience.first_wait, max=patience.longest_wait)
        first_failure: float | None = None

        def wait(state: RetryCallState) -> float:
            error = _error_of(state)
            self.trouble = "" if error is None else error.why
            return max(usual(state), 0.0 if error is None else min(error.after, patience.again))

        def stop(state: RetryCallState) -> bool:
            nonlocal first_failure
            now = time.monotonic()
            first_failure = now if first_failure is None else first_failure
            error = _error_of(state)
            if error is not None and error.faulty and state.attempt_number >= _TRIES_OF_FAULTY:
                return True
            return now - first_failure >= (patience.again if self._has_answered else patience.at_first)

        return AsyncRetrying(retry=retry_if_exception_type(Unanswered), stop=stop, wait=wait, reraise=True)

    async def get(self, path: str) -> bytes | None:
        """What a path answers with, None where there is none. Raises Unanswered, Refusal and ModelError."""
        try:
            return await self.ask("GET", path)
        except Refusal as refusal:
            if refusal.status in (404, 405, 501):
                return None
            raise

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """One request, tried once. Raises Unanswered, Refusal and ModelError."""
        try:
            status, headers, told = await self._connections.request(method, path, body)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            self.lost += 1
            raise self._unanswered(error) from None
        self._has_answered = True
        if status in _MAY_BE_ANOTHER:
            self.lost += 1
        if status >= _BAD_REQUEST and _takes_texts_alone(told):
            # llama-cpp-python's server says that with 500, which would be asked again.
            raise ModelError(
                f"The server {self.url} takes texts alone, and no token ids (status {status}).",
                "Its tokens might be others than those that are scored. docs/servers.md says which servers take ids.",
            )
        if status in _BUSY or status in _MAY_BE_ANOTHER:
            after = _seconds(headers.get("Retry-After"))
            raise Unanswered(f"answers {status} ({_reason(told)})", after, faulty=status == _FAULTY)
        self.trouble = ""
        if status in (401, 403):
            raise ModelError(
                f"The server {self.url} refuses the key, or wants one (status {status}).",
                "Put it into the environment variable SHIFTLENS_API_KEYS, as `ORIGIN=KEY`, and start the engine anew.",
            )
        if not 200 <= status < 300:
            raise Refusal(status, _reason(told))
        return told

    def _unanswered(self, error: Exception) -> Exception:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return ModelError(
                f"The certificate of {self.url} can't be verified: {_why_not_verified(error.certificate_error)}.",
                "Name the file of your own authority's certificates in SSL_CERT_FILE.",
            )
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return Unanswered(f"takes no connection within {self.patience.connect:g} seconds")
        if isinstance(error, asyncio.TimeoutError):
            return Unanswered(f"has sent nothing for {self.patience.answer:g} seconds")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | aiohttp.InvalidURL):
            return Unanswered("can't be reached")
        return Unanswered("broke off the connection in the middle of an answer")


def _why_not_verified(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)


def _takes_texts_alone(told: bytes) -> bool:
    """Whether a failure is pydantic's that a prompt is no text."""
    return b"prompt" in told and (b"string_type" in told or b"valid string" in told)


def _error_of(state: RetryCallState) -> Unanswered | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, Unanswered) else None


def _reason(body: bytes) -> str:
    """What the server says of a failure: the message in its JSON, or the beginning of its text."""
    told: Any = body.decode(errors="replace")
    with contextlib.suppress(msgspec.DecodeError):
        told = msgspec.json.decode(told)
    if isinstance(told, dict):
        inner = told.get("error", told)
        told = inner.get("message", inner.get("detail", "")) if isinstance(inner, dict) else inner
    words = " ".join(str(told).split()) or "no reason given"
    return words if len(words) <= _LONGEST_TOLD else f"{words[:_LONGEST_TOLD]}..."


def _seconds(header: str | None) -> float:
    """Of a `Retry-After`; 0 for none, and for a date."""
    return float(header) if header is not None and header.isdecimal() else 0.0

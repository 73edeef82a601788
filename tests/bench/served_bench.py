"""What is added to the time that a model server takes: `server_overhead`, against a real vLLM on this machine's CPU."""

from __future__ import annotations

import gc
import http.client
import statistics
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import msgspec
from registry import Bench

from oracles.real_vllm import VLLM_PYTHON, RealVllm
from shiftlens.backends.connections import IN_FLIGHT, Patience
from shiftlens.backends.exchange import Exchange
from shiftlens.backends.server import ServerBackend
from shiftlens.backends.vllm import VLLM
from shiftlens.bundled.paths import transcripts
from shiftlens.engine.main import set_up_libraries
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.options.server_names import read_server_name
from shiftlens.scores.requests import ContextTurn, ResponseToScore, to_score
from shiftlens.scoring.events import Scored
from shiftlens.scoring.session import Session
from shiftlens.transcripts.read import read

RESPONSES = 64
_MOST_TRIES = 5

Asked = list[tuple[str, bytes]]
"""Paths and bodies of requests."""


class RecordedExchange(Exchange):
    """Notes what it asks for."""

    def __init__(self, url: str, asked: Asked) -> None:
        super().__init__(url, None, Patience())
        self._asked = asked

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        if body is not None:
            self._asked.append((path, msgspec.json.encode(body)))
        return await super().ask(method, path, body)


class Recorded:
    """Opens models of a vLLM, and notes what they are asked."""

    def __init__(self) -> None:
        self.asked: Asked = []

    def open(self, name: str, spec: PairSpec) -> ServerBackend | None:
        server = read_server_name(name)
        if server is None:
            return None
        exchange = RecordedExchange(server.url, self.asked)
        return ServerBackend(name, server, VLLM(), exchange, allow_download=spec.allow_download)


def server_overhead(rounds: int) -> Mapping[str, float]:
    """The wall time of 64 responses, both sides on one vLLM, over that of the same requests sent without a look at the
    answers, as many at a time. The server has been probed before. Each is the first of the two in every other round."""
    # As the engine does it, as well as freezing what is there: tokenizers that share work among threads wait for those.
    set_up_libraries()
    server, kind = RealVllm(), Recorded()
    server.start()
    try:
        server.ready()
        spec = PairSpec(base=server.name("also"), aligned=server.name("aligned"), device="cpu")
        session, requests = Session(kinds=[kind]), _requests()
        gc.freeze()
        _scored(session, spec, requests)
        _, asked = _ours(session, spec, requests, kind)
        ratios = []
        for at in range(rounds):
            bare = _sent(server.url, asked) if at % 2 else 0.0
            ours, again = _ours(session, spec, requests, kind)
            assert sorted(again) == sorted(asked), "other requests than the bare side sends"
            bare = bare or _sent(server.url, asked)
            ratios.append(ours / bare)
            print(f"    {len(asked)} requests: {ours:.2f} s with ShiftLens, {bare:.2f} s without", flush=True)
        return {"server_overhead": statistics.median(ratios)}
    finally:
        server.kill()


def _ours(session: Session, spec: PairSpec, requests: list[ResponseToScore], kind: Recorded) -> tuple[float, Asked]:
    """Seconds until all are scored, and what the server was asked for that."""
    for _ in range(_MOST_TRIES):
        # The server closes a connection that nobody uses for some seconds, and is probed on a new one.
        _scored(session, spec, requests[:1])
        kind.asked.clear()
        seconds = _scored(session, spec, requests)
        if len(kind.asked) == 2 * len(requests):
            return seconds, list(kind.asked)
        print(f"    left out: the server was probed anew, with {len(kind.asked)} requests in all", flush=True)
    raise AssertionError("the server is probed each time")


def _requests() -> list[ResponseToScore]:
    """The bundled responses, again and again behind other words."""
    found: list[ResponseToScore] = []
    for path in transcripts():
        transcript = read(path.read_text(encoding="utf-8"), filename=path.name)
        if transcript is not None:
            found += [to_score(response, transcript.format) for response in transcript.responses]
    return [
        msgspec.structs.replace(each, turns=(ContextTurn.of("user", f"Question {at}."), *each.turns))
        for at, each in enumerate((found * RESPONSES)[:RESPONSES])
    ]


def _scored(session: Session, spec: PairSpec, requests: list[ResponseToScore]) -> float:
    """Seconds until all are scored."""
    begin = time.perf_counter()
    found = [event for event in session.score(spec, ScoreOptions(), requests) if isinstance(event, Scored)]
    seconds = time.perf_counter() - begin
    assert len(found) == len(requests)
    return seconds


def _sent(url: str, asked: Asked) -> float:
    """Seconds until all are answered, over connections that stay open."""
    left: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
    for each in asked:
        left.put(each)
    failed: list[str] = []

    def send() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        try:
            while True:
                path, body = left.get_nowait()
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                told = answer.read()
                if answer.status != HTTPStatus.OK:
                    failed.append(f"{path} is answered with {answer.status}: {told[:500]!r}")
        except Empty:
            connection.close()

    # Each side has so many requests at a time.
    threads = [threading.Thread(target=send) for _ in range(2 * IN_FLIGHT)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(asked)} requests: {failed[0]}")
    return seconds


BENCHES = (Bench({"server_overhead": "<= 1.15"}, server_overhead, needs=VLLM_PYTHON),)

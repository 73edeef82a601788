"""What a server does to one response does nothing to others, and what it does to one job nothing to other jobs."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.model_server import ModelServer, cut, empty, ends_with, hang, serving, status
from backends.test_servers import FOLDERS, LOCAL, QUICK, TEXTS, aligned_at, assert_same, response, scored, session
from score_job import score
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Cancelled, Describe, Done, Failed, Job, Progress, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.engine.worker.turns import Turns
from shiftlens.errors import ModelError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.records import ScoredResponse
from shiftlens.scoring import events
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.session import Session

pytestmark = pytest.mark.slow

REQUESTS = tuple(response(text) for text in TEXTS)


@pytest.fixture(scope="module")
def local() -> list[ScoredResponse]:
    return scored(Session(), LOCAL)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(ModelServer("vllm", {"aligned": FOLDERS["aligned"], "base": FOLDERS["base"]})) as server:
        yield server


@dataclasses.dataclass
class Engine:
    """What an engine process does with the jobs of several clients, step by step."""

    said: list[Reply] = dataclasses.field(default_factory=list)
    cancelled: set[int] = dataclasses.field(default_factory=set)

    def __post_init__(self) -> None:
        self.worker = Worker(self.said.append, self.cancelled.__contains__, session())
        self._turns = Turns(self.worker.session)

    def ask(self, job: Job) -> None:
        self._turns.add(job.client, self.worker.steps(job), lambda: self.worker.needs(job))

    def go_on_until(self, holds: Callable[[], object]) -> None:
        while not holds():
            assert self._turns, self.said
            self._turns.step()

    def has_said(self, kind: type[Any], job: int) -> bool:
        return any(isinstance(reply, kind) and reply.job == job for reply in self.said)


def served_job(server: ModelServer, job: int = 1, client: int = 1) -> Score:
    pair = aligned_at(server)
    return Score(job=job, client=client, pair=pair, options=ScoreOptions(), responses=REQUESTS)


def local_job(job: int = 2, client: int = 2) -> Score:
    return Score(job=job, client=client, pair=LOCAL, options=ScoreOptions(), responses=REQUESTS)


def test_the_job_of_another_client_is_done_while_a_server_hangs(server: ModelServer) -> None:
    server.failures = [hang] * 50
    engine = Engine()
    engine.ask(served_job(server))
    engine.go_on_until(server.hung.is_set)
    engine.ask(local_job())
    engine.go_on_until(lambda: engine.has_said(Done, 2))
    assert sum(isinstance(reply, Scored) and reply.job == 2 for reply in engine.said) == len(TEXTS)
    assert not engine.has_said(Done, 1)
    assert not engine.has_said(Failed, 1)
    assert not server.left.is_set()


def test_a_cancelled_job_breaks_off_the_request_that_hangs(server: ModelServer) -> None:
    server.failures = [hang] * 50
    engine = Engine()
    engine.ask(served_job(server))
    engine.go_on_until(server.hung.is_set)
    engine.cancelled.add(1)
    engine.go_on_until(lambda: engine.has_said(Cancelled, 1))
    assert server.left.wait(20)


@pytest.mark.parametrize("describes", [True, False], ids=["describe", "score"])
def test_a_server_that_hangs_at_the_first_question_holds_up_nobody_and_can_be_cancelled(
    describes: bool, server: ModelServer
) -> None:
    server.get_failures = [hang] * 50
    engine = Engine()
    engine.ask(Describe(job=1, client=1, pair=aligned_at(server)) if describes else served_job(server))
    engine.go_on_until(server.hung.is_set)
    engine.ask(local_job())
    engine.go_on_until(lambda: engine.has_said(Done, 2))
    engine.cancelled.add(1)
    engine.go_on_until(lambda: engine.has_said(Cancelled, 1))
    assert server.left.wait(20)


def test_a_job_that_waits_for_a_server_alone_needs_no_model_in_memory(server: ModelServer) -> None:
    server.failures = [hang] * 50
    engine, job = Engine(), served_job(server)
    engine.ask(job)
    assert engine.worker.needs(job) == (job.pair,)
    engine.go_on_until(lambda: server.hung.is_set() and not engine.worker.needs(job))
    assert sum(isinstance(reply, Progress) and reply.part is not None for reply in engine.said) == len(TEXTS)
    engine.cancelled.add(1)
    engine.go_on_until(lambda: engine.has_said(Cancelled, 1))


def test_a_model_here_is_not_in_use_while_a_server_hangs(server: ModelServer) -> None:
    server.failures = [hang] * 50
    ours = session()
    steps = ours.steps(aligned_at(server), Run(ScoreOptions(), REQUESTS))
    halves = 0
    for happened in steps:
        halves += sum(isinstance(event, events.Progress) and event.fraction > 0 for event in happened)
        if halves == len(TEXTS) and server.hung.is_set():
            break
    # The last answer of the model here, and the look that finds no more of them.
    next(steps)
    next(steps)
    assert ours.loads == 1
    assert not ours.pinned()
    steps.close()


async def test_a_shared_engine_serves_another_window_while_a_server_hangs(server: ModelServer) -> None:
    server.failures = [hang] * 50
    slow, other = EngineClient(), EngineClient()
    job = asyncio.create_task(score(slow, aligned_at(server), ScoreOptions(), REQUESTS))
    try:
        assert await asyncio.to_thread(server.hung.wait, 120)
        found: list[Scored] = []
        await score(other, LOCAL, ScoreOptions(), REQUESTS, on_scored=found.append)
        assert {each.index for each in found} == {0, 1, 2}
        assert slow.pid == other.pid
        assert not job.done()
        job.cancel()
        assert await asyncio.to_thread(server.left.wait, 30)
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        await asyncio.gather(slow.close(), other.close())


FAILURES: dict[str, tuple[Callable[..., None], str]] = {
    "400": (status(400), "refuses this response (status 400): not now"),
    "413": (status(413), "status 413"),
    "500": (status(500), "answers 500 (not now) when it is asked for this response, while it answers for others"),
    "cut": (cut, "broke off the connection in the middle of an answer when it is asked for this response"),
    "hang": (hang, "has sent nothing for 1 seconds when it is asked for this response"),
    "nothing": (empty, "not JSON"),
    "no logprobs": (lambda handler: handler.answer({"choices": [{"prompt_logprobs": None}]}), "without the logprobs"),
    "null rows": (
        lambda handler: handler.answer({"choices": [{"prompt_logprobs": [None] * len(handler.ids)}]}),
        "gives no logprobs at position",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_response_that_a_server_fails_at_is_refused_with_the_reason_and_the_others_are_scored(
    failure: str, server: ModelServer, local: list[ScoredResponse]
) -> None:
    fails, said = FAILURES[failure]
    is_second = ends_with(FOLDERS["aligned"], TEXTS[1])
    server.fails_at = lambda ids: fails if is_second(ids) else None
    patience = dataclasses.replace(QUICK, answer=1.0, again=1.0) if failure in ("hang", "cut") else QUICK
    found = list(session(patience).score(aligned_at(server), ScoreOptions(), REQUESTS))
    (refused,) = [event for event in found if isinstance(event, events.Refused)]
    assert refused.index == 1
    assert server.name("aligned") in refused.problem
    assert said in refused.problem
    assert refused.remedy
    done = {event.index: event.scored for event in found if isinstance(event, events.Scored)}
    assert set(done) == {0, 2}
    for index, record in done.items():
        assert_same(record.aligned, local[index].aligned)


def test_a_server_that_knows_the_model_no_more_ends_the_job_for_all_responses(server: ModelServer) -> None:
    is_second = ends_with(FOLDERS["aligned"], TEXTS[1])
    server.fails_at = lambda ids: status(404) if is_second(ids) else None
    with pytest.raises(ModelError, match="status 404"):
        list(session().score(aligned_at(server), ScoreOptions(), REQUESTS))


def test_what_a_server_lets_us_wait_for_and_how_fast_it_is_are_told(server: ModelServer) -> None:
    server.failures = [status(429, **{"Retry-After": "1"})]
    engine = Engine()
    engine.ask(served_job(server))
    engine.go_on_until(lambda: engine.has_said(Done, 1))
    told = [reply.message for reply in engine.said if isinstance(reply, Progress)]
    assert any(said.endswith(", the server answers 429 (not now), and is asked again") for said in told)
    assert told[-1].startswith("Scoring response ")
    assert told[-1].endswith(" tokens/s")


def test_where_all_responses_are_refused_before_they_are_sent_a_slow_server_is_not_asked(server: ModelServer) -> None:
    ours = session()
    scored(ours, aligned_at(server))
    asked = len(server.asked)
    server.get_failures = [status(503)] * 3
    refusing = ScoreOptions(base_context="template:{{ raise_exception('no') }}")
    found = list(ours.score(aligned_at(server), refusing, REQUESTS))
    assert sum(isinstance(event, events.Refused) for event in found) == len(REQUESTS)
    assert len(server.asked) == asked


def test_a_server_that_takes_texts_alone_is_told_for_that_and_asked_once(server: ModelServer) -> None:
    words = "[{'type': 'string_type', 'loc': ('body', 'prompt', 'str'), 'msg': 'Input should be a valid string'}]"

    def refuse(handler: Any) -> None:
        # As llama-cpp-python's own server, which says it with 500.
        handler.answer({"error": {"message": words, "type": "internal_server_error"}}, status=500)

    server.failures = [refuse] * 50
    with pytest.raises(ModelError, match="takes texts alone, and no token ids"):
        scored(session(), aligned_at(server))
    assert len(server.asked) == 1

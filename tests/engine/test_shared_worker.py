"""Jobs of several clients in one engine process: whose they are, whatever kind they are. No engine process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shiftlens.engine.protocol import (
    Cancel,
    Cancelled,
    Describe,
    Done,
    Failed,
    Forget,
    MemoryReport,
    Progress,
    Reply,
    Request,
    Scored,
    is_passing,
)
from shiftlens.engine.sharing.host_protocol import EngineProcess, FromHost, Logged
from shiftlens.engine.sharing.session import Session
from shiftlens.engine.sharing.shared_worker import SharedWorker
from shiftlens.errors import EngineError
from shiftlens.options.pair import PairSpec

PAIR = PairSpec(base="org/base", aligned="org/aligned")


class Continue(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A kind of job that the host has never heard of."""

    job: int
    pair: PairSpec
    client: int = 0


class FakeProcess:
    """Stands for `WorkerProcess`: keeps what it is sent, and a test says what it replies."""

    def __init__(self, on_reply: Callable[[Reply], None], on_end: Callable[[EngineError], None]) -> None:
        self.reply, self._on_end = on_reply, on_end
        self.pid: int | None = 1
        self.sent: list[Any] = []

    async def send(self, request: Request) -> None:
        self.sent.append(request)

    def write(self, request: Request) -> None:
        self.sent.append(request)

    def end(self, error: EngineError) -> None:
        self.pid = None
        self._on_end(error)


class FakeSession(Session):
    def __init__(self, number: int) -> None:
        super().__init__(number, None, None)  # type: ignore[arg-type]
        self.heard: list[FromHost] = []

    def send(self, message: FromHost) -> None:
        self.heard.append(message)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[FakeProcess]:
    made: list[FakeProcess] = []

    async def start(on_reply: Any, _on_line: Any, on_end: Any, **_: object) -> FakeProcess:
        made.append(FakeProcess(on_reply, on_end))
        return made[-1]

    monkeypatch.setattr("shiftlens.engine.sharing.shared_worker.WorkerProcess.start", start)
    return made


async def started() -> tuple[SharedWorker, list[EngineProcess | Logged]]:
    told: list[EngineProcess | Logged] = []
    worker = SharedWorker(told.append, lambda: None, less_urgent=False)
    await worker.started()
    return worker, told


def progress(job: int) -> Progress:
    return Progress(job=job, phase="scoring", fraction=0.5, message="Scoring")


async def test_jobs_that_two_clients_number_alike_are_told_apart(processes: list[FakeProcess]) -> None:
    worker, _ = await started()
    one, other = FakeSession(11), FakeSession(12)
    await worker.run(one, Describe(job=1, pair=PAIR))
    await worker.run(other, Describe(job=1, pair=PAIR))
    first, second = processes[0].sent
    assert (first.client, second.client) == (11, 12)
    assert first.job != second.job
    waiting = other.heard.pop()
    assert isinstance(waiting, Progress)
    assert "another window" in waiting.message
    processes[0].reply(progress(second.job))
    processes[0].reply(Done(job=second.job))
    processes[0].reply(progress(first.job))
    assert other.heard == [progress(1), Done(job=1)]
    assert one.heard == [progress(1)]
    assert (worker.jobs, one.jobs, other.jobs) == (1, {1: first.job}, {})


async def test_a_job_of_any_kind_passes_as_it_is_but_for_its_numbers(processes: list[FakeProcess]) -> None:
    worker, _ = await started()
    session = FakeSession(11)
    await worker.run(session, Continue(job=5, pair=PAIR))  # type: ignore[arg-type]
    (sent,) = processes[0].sent
    assert sent == Continue(job=sent.job, pair=PAIR, client=11)


async def test_a_client_cancels_no_job_but_its_own(processes: list[FakeProcess]) -> None:
    worker, _ = await started()
    one, other = FakeSession(11), FakeSession(12)
    await worker.run(one, Describe(job=1, pair=PAIR))
    (job,) = processes[0].sent
    worker.cancel(other, 1)
    worker.cancel(other, job.job)
    assert processes[0].sent[1:] == []
    worker.cancel(one, 1)
    assert processes[0].sent[1:] == [Cancel(job=job.job)]


async def test_jobs_of_a_client_that_has_gone_are_cancelled_and_told_to_nobody(processes: list[FakeProcess]) -> None:
    worker, _ = await started()
    session = FakeSession(11)
    await worker.run(session, Describe(job=1, pair=PAIR))
    (job,) = processes[0].sent
    worker.drop(session)
    worker.forget(session, None)
    assert processes[0].sent[1:] == [Cancel(job=job.job), Forget(document=None, client=11)]
    processes[0].reply(Cancelled(job=job.job))
    assert (worker.jobs, session.heard) == (0, [])


async def test_a_process_that_dies_fails_every_job_and_is_replaced(processes: list[FakeProcess]) -> None:
    worker, told = await started()
    sessions = FakeSession(11), FakeSession(12)
    for session in sessions:
        await worker.run(session, Describe(job=session.number, pair=PAIR))
    processes[0].reply(MemoryReport(kv_bytes=5, cuda_bytes=0))
    assert worker.memory.kv_bytes == 5
    processes[0].end(EngineError("It died.", "Ask again."))
    for session in sessions:
        assert session.heard[-1] == Failed(
            job=session.number, kind="EngineError", problem="It died.", remedy="Ask again."
        )
    assert (worker.jobs, worker.pid, worker.memory.kv_bytes) == (0, None, 0)
    await worker.started()
    assert len(processes) == 2
    assert told == [EngineProcess(pid=1), EngineProcess(pid=None), EngineProcess(pid=1)]


def test_only_what_a_later_reply_says_again_may_be_kept_from_a_slow_reader() -> None:
    scored: Any = object()
    assert is_passing(progress(1))
    assert is_passing(Scored(job=1, index=0, scored=scored, partial=True))
    assert not is_passing(Scored(job=1, index=0, scored=scored))
    assert not is_passing(Done(job=1))

"""A job as a stream of events: what comes, in which order, and how it ends. No engine process."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from engine.fake_link import FakeLink
from shiftlens.engine.client import EngineClient
from shiftlens.engine.links import EngineLeft, Link
from shiftlens.engine.protocol import (
    Answer,
    Cancel,
    Cancelled,
    Describe,
    Done,
    Event,
    Failed,
    Progress,
    Refused,
    Request,
    Score,
)
from shiftlens.errors import EngineError, ModelError, ScoringError, ShiftLensError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text

PAIR = PairSpec(base="org/base", aligned="org/aligned")
RESPONSE = ResponseToScore(turns=(ContextTurn.of("user", "Why?"),), parts=one_text("So."), source_format="labels")
SCORE = Score(pair=PAIR, options=ScoreOptions(), responses=(RESPONSE,))


class Client(EngineClient):
    """Its jobs go to these links, one after the other."""

    def __init__(self, *links: Link) -> None:
        super().__init__()
        self.links = list(links)

    async def _linked(self, pair: PairSpec) -> Link:
        assert pair == PAIR
        return self.links.pop(0)


def progress(job: int, fraction: float = 0.5) -> Progress:
    return Progress(job=job, phase="scoring", fraction=fraction, message="Scoring")


async def heard(client: EngineClient, request: Score | Describe) -> list[Event | Answer]:
    return [event async for event in client.run(request)]


async def sent_to(link: FakeLink, count: int = 1) -> Request:
    """The last of so many requests, when it has been sent."""
    while len(link.sent) < count:
        await asyncio.sleep(0)
    return link.sent[count - 1]


async def test_events_come_in_their_order_and_the_answer_is_the_last() -> None:
    link = FakeLink()
    job = asyncio.create_task(heard(Client(link), SCORE))
    number = (await sent_to(link)).job
    refused = Refused(job=number, index=0, problem="It is empty.", remedy="")
    link.reply(progress(number, 0.1), refused, progress(number, 0.9), Done(job=number), progress(number))
    assert await job == [progress(number, 0.1), refused, progress(number, 0.9), Done(job=number)]
    assert link.jobs == {}
    assert len(link.sent) == 1


async def test_jobs_of_one_client_have_numbers_of_their_own_and_hear_no_others_events() -> None:
    link = FakeLink()
    client = Client(link, link)
    jobs = [asyncio.create_task(heard(client, request)) for request in (SCORE, SCORE)]
    await sent_to(link, 2)
    first, second = (request.job for request in link.sent)
    link.reply(progress(second), Done(job=second), progress(first), Done(job=first))
    assert [[event.job for event in await job] for job in jobs] == [[first, first], [second, second]]


@pytest.mark.parametrize(
    ("kind", "error"), [("ModelError", ModelError), ("ScoringError", ScoringError), ("EngineError", EngineError)]
)
async def test_a_failed_job_raises_its_error_after_the_events_before_it(kind: str, error: type[ShiftLensError]) -> None:
    link, found = FakeLink(), list[Event | Answer]()

    async def listen() -> None:
        async for event in Client(link).run(SCORE):
            found.append(event)

    job = asyncio.create_task(listen())
    number = (await sent_to(link)).job
    link.reply(progress(number), Failed(job=number, kind=kind, problem="It broke.", remedy="Mend it."))
    with pytest.raises(error, match=r"It broke\. Mend it\."):
        await job
    assert found == [progress(number)]
    assert len(link.sent) == 1


async def test_closing_the_stream_cancels_the_job() -> None:
    link = FakeLink()
    async with aclosing(Client(link).run(SCORE)) as events:
        listening = asyncio.create_task(anext(events))
        number = (await sent_to(link)).job
        link.reply(progress(number))
        assert await listening == progress(number)
    assert link.sent[1:] == [Cancel(job=number)]
    link.reply(Cancelled(job=number))


async def test_cancelling_the_task_that_listens_cancels_the_job() -> None:
    link = FakeLink()
    job = asyncio.create_task(heard(Client(link), SCORE))
    number = (await sent_to(link)).job
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert link.sent[1:] == [Cancel(job=number)]


async def test_who_stops_at_the_answer_cancels_nothing() -> None:
    link = FakeLink()
    async with aclosing(Client(link).run(SCORE)) as events:
        listening = asyncio.create_task(anext(events))
        number = (await sent_to(link)).job
        link.reply(Done(job=number))
        assert await listening == Done(job=number)
    assert len(link.sent) == 1


async def test_a_job_that_an_engine_left_undone_is_asked_of_the_next() -> None:
    gone, left, link = FakeLink(), FakeLink(), FakeLink()
    await gone.close()
    job = asyncio.create_task(heard(Client(gone, left, link), SCORE))
    await sent_to(left)
    left.end(EngineLeft())
    number = (await sent_to(link)).job
    link.reply(Done(job=number))
    assert await job == [Done(job=number)]
    assert gone.sent == []


async def test_a_job_that_no_engine_looks_at_fails_in_the_end() -> None:
    links = [FakeLink() for _ in range(5)]
    for link in links:
        await link.close()
    with pytest.raises(EngineError, match="ended each time"):
        await heard(Client(*links), SCORE)


async def test_an_engine_that_gives_a_job_up_unasked_is_an_error_and_no_cancelled_task() -> None:
    link = FakeLink()
    job = asyncio.create_task(heard(Client(link), SCORE))
    number = (await sent_to(link)).job
    link.reply(Cancelled(job=number))
    with pytest.raises(EngineError, match="nobody had cancelled"):
        await job


async def test_a_request_that_fits_no_frame_is_refused_in_words() -> None:
    link = FakeLink(limit=10)
    with pytest.raises(ScoringError, match="too much text to score in one go"):
        await heard(Client(link), SCORE)
    assert link.sent == []
    assert link.jobs == {}

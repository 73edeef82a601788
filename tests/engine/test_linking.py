"""Which engine a job goes to, and what becomes of the others. No engine process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.fake_link import FakeLink
from shiftlens.engine.job_events import JobEvents
from shiftlens.engine.linking import Links, Sharing
from shiftlens.engine.sharing.endpoint import Endpoint
from shiftlens.engine.sharing.joining import SUPPORTED
from shiftlens.options.pair import PairSpec

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="engines are shared over Unix sockets")

PAIR = PairSpec(base="org/base", aligned="org/aligned")
WITH_PICKLES = replace(PAIR, allow_pickle=True)


class Engines:
    """What stands for engines that are joined or started: the links to them in the order of their opening."""

    def __init__(self) -> None:
        self.joined: list[tuple[Endpoint, FakeLink]] = []
        self.own: list[FakeLink] = []
        self.may_open = asyncio.Event()
        self.may_open.set()

    async def join(self, *_: object, **__: object) -> None:
        await self.may_open.wait()

    def shared(self, _connection: object, endpoint: Endpoint, *_: object) -> FakeLink:
        self.joined.append((endpoint, FakeLink()))
        return self.joined[-1][1]

    async def start(self, *_: object, **__: object) -> FakeLink:
        await self.may_open.wait()
        self.own.append(FakeLink())
        return self.own[-1]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engines:
    made = Engines()
    monkeypatch.setattr(
        "shiftlens.engine.linking.endpoint_for", lambda _, *, allow_pickle: Endpoint(tmp_path, str(allow_pickle))
    )
    monkeypatch.setattr("shiftlens.engine.linking.join", made.join)
    monkeypatch.setattr("shiftlens.engine.linking.SharedEngine", made.shared)
    monkeypatch.setattr("shiftlens.engine.linking.OwnEngine.start", made.start)
    return made


def links(**options: Any) -> Links:
    given: dict[str, Any] = {"sharing": Sharing.SHARED, "idle_seconds": 60.0, "background": False} | options
    return Links(on_log=lambda _: None, **given)


async def test_every_pair_goes_to_the_one_shared_engine(engines: Engines) -> None:
    ours = links()
    first = await ours.to_engine_of(PAIR)
    for pair in (replace(PAIR, base="org/other"), replace(PAIR, dtype="float16"), replace(PAIR, allow_download=True)):
        assert await ours.to_engine_of(pair) is first
    assert len(engines.joined) == 1


async def test_an_engine_of_our_own_takes_every_pair(engines: Engines) -> None:
    ours = links(sharing=Sharing.OWN)
    first = await ours.to_engine_of(PAIR)
    assert await ours.to_engine_of(WITH_PICKLES) is first
    assert (len(engines.own), engines.joined) == (1, [])


async def test_an_engine_that_is_not_wanted_now_is_left_unless_it_has_jobs(engines: Engines) -> None:
    ours = links()
    busy = await ours.to_engine_of(PAIR)
    busy.jobs[1] = JobEvents()
    other = await ours.to_engine_of(WITH_PICKLES)
    assert ours.open_links() == [busy, other]
    assert await ours.to_engine_of(PAIR) is busy
    assert ours.open_links() == [busy]
    busy.jobs.clear()
    third = await ours.to_engine_of(WITH_PICKLES)
    assert ours.open_links() == [third]
    assert [link.is_open for _, link in engines.joined] == [False, False, True]


async def test_an_engine_that_ended_is_replaced(engines: Engines) -> None:
    ours = links()
    first = await ours.to_engine_of(PAIR)
    await first.close()
    second = await ours.to_engine_of(PAIR)
    assert second.is_open
    assert [link for _, link in engines.joined] == [first, second]


async def test_an_engine_whose_starter_gave_up_is_there_for_the_next_job(engines: Engines) -> None:
    ours = links()
    engines.may_open.clear()
    given_up = asyncio.create_task(ours.to_engine_of(PAIR))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    next_one = asyncio.create_task(ours.to_engine_of(PAIR))
    await asyncio.sleep(0)
    engines.may_open.set()
    assert (await next_one).is_open
    assert len(engines.joined) == 1


async def test_an_engine_whose_starter_gave_up_is_left_when_another_is_wanted(engines: Engines) -> None:
    ours = links()
    engines.may_open.clear()
    given_up = asyncio.create_task(ours.to_engine_of(WITH_PICKLES))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    next_one = asyncio.create_task(ours.to_engine_of(PAIR))
    await asyncio.sleep(0)
    engines.may_open.set()
    wanted = await next_one
    assert [link.is_open for _, link in engines.joined] == [False, True]
    assert ours.open_links() == [wanted]


async def test_the_idle_time_of_the_moment_goes_to_the_engine_with_each_job(engines: Engines) -> None:
    ours = links(idle_seconds=60.0)
    await ours.to_engine_of(PAIR)
    ours.idle_seconds = 0.0
    await ours.to_engine_of(PAIR)
    ((_, link),) = engines.joined
    assert link.idle_seconds == 0.0

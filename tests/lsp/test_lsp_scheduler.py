"""The newest job of a document wins."""

from __future__ import annotations

import asyncio

from shiftlens.lsp.jobs.scheduler import EngineSlot, Scheduler


async def test_a_newer_job_replaces_one_that_waits() -> None:
    ran: list[str] = []
    scheduler = Scheduler()
    done = asyncio.Event()

    async def old() -> None:
        ran.append("old")

    async def new() -> None:
        ran.append("new")
        done.set()

    scheduler.request("a", old, delay=30)
    scheduler.request("a", new)
    await done.wait()
    await scheduler.close()
    assert ran == ["new"]


async def test_a_newer_job_cancels_one_that_runs() -> None:
    scheduler = Scheduler()
    running, cancelled, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def old() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def new() -> None:
        done.set()

    scheduler.request("a", old)
    await running.wait()
    scheduler.request("a", new)
    await cancelled.wait()
    await done.wait()


async def test_documents_take_turns_in_the_engine() -> None:
    scheduler = Scheduler()
    inside = 0
    most = 0
    left = asyncio.Semaphore(0)

    async def job() -> None:
        nonlocal inside, most
        async with scheduler.engine_slot:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
        left.release()

    for key in "abc":
        scheduler.request(key, job)
    for _ in "abc":
        await left.acquire()
    assert most == 1


async def test_a_cancelled_job_gives_its_turn_back() -> None:
    scheduler = Scheduler()
    holding, done = asyncio.Event(), asyncio.Event()

    async def holder() -> None:
        async with scheduler.engine_slot:
            holding.set()
            await asyncio.Event().wait()

    async def waiter() -> None:
        async with scheduler.engine_slot:
            done.set()

    scheduler.request("a", holder)
    await holding.wait()
    scheduler.request("b", waiter)
    assert scheduler.cancel("a")
    await done.wait()
    assert not scheduler.cancel("a")


async def test_what_is_shown_beside_colours_knows_that_a_document_waits_for_its_own() -> None:
    slot, others, wanted = EngineSlot(), 0, []

    async def document() -> None:
        nonlocal others
        async with slot:
            others += 1

    async def beside() -> None:
        async with slot.beside():
            pass

    async with slot.beside():
        waiting = asyncio.create_task(beside())
        await asyncio.sleep(0)
        wanted.append(slot.is_wanted)
        documents = [asyncio.create_task(document()) for _ in range(2)]
        await asyncio.sleep(0)
        wanted.append(slot.is_wanted)
    await asyncio.gather(waiting, *documents)
    wanted.append(slot.is_wanted)
    assert others == 2
    assert wanted == [False, True, False]
    assert not slot.locked()


async def test_what_is_shown_beside_colours_waits_until_nobody_wants_the_engine() -> None:
    slot, order = EngineSlot(), []

    async def beside() -> None:
        async with slot.beside():
            order.append("beside")

    with slot.wanted():
        waiting = asyncio.create_task(beside())
        await asyncio.sleep(0)
        with slot.wanted():
            pass
        await asyncio.sleep(0)
        order.append("the user")
    await waiting
    assert order == ["the user", "beside"]


async def test_a_document_that_no_longer_waits_is_not_waited_for() -> None:
    slot = EngineSlot()

    async def document() -> None:
        async with slot:
            pass

    async with slot.beside():
        waiting = asyncio.create_task(document())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not slot.is_wanted


async def test_a_job_that_fails_takes_no_other_down() -> None:
    scheduler = Scheduler()
    done = asyncio.Event()

    async def bad() -> None:
        raise RuntimeError("hostile text")

    async def good() -> None:
        done.set()

    scheduler.request("a", bad)
    await asyncio.sleep(0)
    scheduler.request("b", good)
    await done.wait()
    await asyncio.sleep(0)
    assert not scheduler.cancel("a")


async def test_closing_cancels_every_job() -> None:
    scheduler = Scheduler()
    ended: list[str] = []

    async def job() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("x")

    scheduler.request("a", job)
    scheduler.request("b", job)
    await asyncio.sleep(0)
    await scheduler.close()
    assert ended == ["x", "x"]

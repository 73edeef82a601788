"""One engine that goes on as that of another pair, which shares a model with the first."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from shiftlens.engine.client import EngineClient
from shiftlens.engine.frames import encode_frame
from shiftlens.engine.protocol import Scored
from shiftlens.engine.sharing.host_protocol import Hello
from shiftlens.engine.sharing.joining import connect
from shiftlens.engine.sharing.place import RUNTIME_DIR_VARIABLE, place_for, program_build
from shiftlens.engine.sharing.running import running_engines
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from tiny_models import byte_level_tokenizer, save_model

pytestmark = pytest.mark.skipif(os.name != "posix", reason="engines are shared over Unix sockets")

SECONDS = 60


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Engines of this test only."""
    with tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True) as name:
        monkeypatch.setenv(RUNTIME_DIR_VARIABLE, name)
        yield Path(name)


@pytest.fixture(scope="module")
def other_pair(tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """The same base with another aligned model."""
    aligned = save_model(tmp_path_factory.mktemp("other") / "tuned", byte_level_tokenizer(), seed=7)
    return replace(tiny_pair, aligned=str(aligned))


@asynccontextmanager
async def clients(count: int) -> AsyncIterator[list[EngineClient]]:
    made = [EngineClient() for _ in range(count)]
    try:
        yield made
    finally:
        await asyncio.gather(*(client.close() for client in made))


async def until_empty(folder: Path) -> None:
    while list(folder.iterdir()):
        await asyncio.sleep(0.02)


async def pairs_that_run() -> list[PairSpec]:
    return [engine.said.pair for engine in await running_engines() if engine.said is not None]


async def test_the_engine_of_a_pair_becomes_that_of_another_and_loads_only_what_is_new(
    tiny_pair: PairSpec, other_pair: PairSpec, folder: Path
) -> None:
    messages: list[str] = []
    async with clients(2) as (one, other):
        await one.describe(tiny_pair)
        pid = one.pid
        described = await one.describe(other_pair, on_progress=lambda said: messages.append(said.message))
        assert one.pid == pid
        assert described.aligned.name == other_pair.aligned
        assert any(other_pair.aligned in message for message in messages)
        assert not any(message.endswith(tiny_pair.base) for message in messages)
        assert await pairs_that_run() == [other_pair]
        assert {path.stem for path in folder.iterdir()} == {place_for(other_pair, program_build()).name}
        await other.describe(other_pair)
        assert other.pid == pid
    await asyncio.wait_for(until_empty(folder), SECONDS)


async def test_scores_after_the_change_are_those_of_a_new_engine(tiny_pair: PairSpec, other_pair: PairSpec) -> None:
    response = ResponseToScore(
        turns=(ContextTurn.of("user", "Why?"),), parts=one_text("Great question!"), source_format="labels"
    )
    scored: list[Scored] = []
    async with clients(1) as (client,):
        await client.score(other_pair, ScoreOptions(), [response], on_scored=scored.append)
    async with clients(1) as (client,):
        await client.score(tiny_pair, ScoreOptions(), [response])
        await client.score(other_pair, ScoreOptions(), [response], on_scored=scored.append)
    assert scored[0].scored == scored[1].scored
    assert scored[0].scored.base.model == scored[1].scored.base.model


async def test_an_engine_that_somebody_else_uses_stays_what_it_is(tiny_pair: PairSpec, other_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))
        pid = one.pid
        await one.describe(other_pair)
        assert one.pid != pid
        await other.describe(tiny_pair)
        assert other.pid == pid


async def test_an_engine_that_the_other_pair_has_already_is_joined(tiny_pair: PairSpec, other_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        await asyncio.gather(one.describe(tiny_pair), other.describe(other_pair))
        await one.describe(other_pair)
        assert one.pid == other.pid
        assert await pairs_that_run() == [other_pair]


async def test_a_pair_can_be_changed_right_after_a_job_was_cancelled(tiny_pair: PairSpec, other_pair: PairSpec) -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 80
    response = ResponseToScore(turns=(ContextTurn.of("user", "Why?"),), parts=one_text(text), source_format="labels")
    begun = asyncio.Event()
    async with clients(1) as (client,):
        job = asyncio.create_task(
            client.score(tiny_pair, ScoreOptions(), [response] * 100, on_scored=lambda _: begun.set())
        )
        await asyncio.wait_for(begun.wait(), SECONDS)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        described = await client.describe(other_pair)
        assert described.aligned.name == other_pair.aligned
        assert await pairs_that_run() == [other_pair]


async def test_who_gives_up_while_the_engine_changes_leaves_it_usable(
    tiny_pair: PairSpec, other_pair: PairSpec
) -> None:
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        for pause in (0, 0.001, 0.01, 0.03):
            given_up = asyncio.create_task(client.describe(other_pair))
            await asyncio.sleep(pause)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            await client.describe(tiny_pair)
        assert await pairs_that_run() == [tiny_pair]


async def test_a_client_that_came_for_the_pair_before_is_sent_to_another_engine(
    tiny_pair: PairSpec, other_pair: PairSpec
) -> None:
    place = place_for(tiny_pair, program_build())
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        late = await connect(place)
        await client.describe(other_pair)
        late.writer.write(encode_frame(Hello(build=program_build(), idle_seconds=0, place=place.name)))
        assert await asyncio.wait_for(late.reader.read(), SECONDS) == b""
        late.writer.close()


async def test_an_engine_that_does_not_answer_is_left(
    tiny_pair: PairSpec, other_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftlens.engine.links._MOVE_SECONDS", 0.3)
    monkeypatch.setattr("shiftlens.engine.links._RELEASE_SECONDS", 0.3)
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        pid = client.pid
        (engine,) = await running_engines()
        assert engine.said is not None
        os.kill(engine.said.pid, signal.SIGSTOP)
        try:
            await client.describe(other_pair)
            assert client.pid != pid
        finally:
            os.kill(engine.said.pid, signal.SIGCONT)


async def test_clients_that_change_pairs_at_once_have_one_engine_for_each_pair(
    tiny_pair: PairSpec, other_pair: PairSpec
) -> None:
    pairs = [tiny_pair, other_pair, replace(tiny_pair, base=other_pair.aligned)]

    async def change(client: EngineClient, number: int) -> PairSpec:
        for step in range(5):
            pair = pairs[step * (number + 1) % len(pairs)]
            described = await client.describe(pair)
            assert (described.base.name, described.aligned.name) == (pair.base, pair.aligned)
        return pair

    async with clients(4) as many:
        changes = asyncio.gather(*(change(client, number) for number, client in enumerate(many)))
        last = await asyncio.wait_for(changes, 3 * SECONDS)
        for pair in pairs:
            assert len({client.pid for client, own in zip(many, last, strict=True) if own == pair}) <= 1
        running = await pairs_that_run()
        assert len(running) == len(set(running))
        assert set(running) == set(last)

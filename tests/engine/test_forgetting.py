"""What is kept for edits goes with the document, and with the client; a template that loops goes with its job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from score_job import score
from shiftlens.engine.client import EngineClient
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.engine.sharing.running import running_engines
from shiftlens.errors import ScoringError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.passes.memory import DEFAULT_LIMIT_BYTES, limit_for

SECONDS = 60.0
LOOP = "template:{% for i in range(10**5) %}{% for j in range(10**5) %}{% endfor %}{% endfor %}"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Engines of this test only."""
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path_factory.mktemp("run")))


@asynccontextmanager
async def client() -> AsyncIterator[EngineClient]:
    made = EngineClient(background=True)
    try:
        yield made
    finally:
        await made.close()


def response(query: str) -> ResponseToScore:
    said = f"{query} The quick brown fox jumps over the lazy dog. " * 3
    return ResponseToScore(turns=(ContextTurn.of("user", query),), parts=one_text(said), source_format="labels")


async def kept() -> int:
    (engine,) = await running_engines()
    assert engine.said is not None
    return engine.said.kv_bytes


async def until_kept(true: Callable[[int], bool]) -> int:
    async def wait() -> int:
        while not true(held := await kept()):
            await asyncio.sleep(0.02)
        return held

    return await asyncio.wait_for(wait(), SECONDS)


async def test_what_is_kept_for_a_document_goes_when_it_closes(tiny_pair: PairSpec) -> None:
    async with client() as editor:
        await score(editor, tiny_pair, ScoreOptions(), [response("First?")], document="a")
        one = await until_kept(lambda held: held > 0)
        await score(editor, tiny_pair, ScoreOptions(), [response("Quite another?")], document="b")
        await until_kept(lambda held: held > one)
        editor.forget("b")
        assert await until_kept(lambda held: held <= one) == one
        editor.forget("a")
        assert await until_kept(lambda held: held < one) == 0


async def test_what_is_kept_for_a_client_goes_when_it_leaves(tiny_pair: PairSpec) -> None:
    async with client() as stays:
        await score(stays, tiny_pair, ScoreOptions(), [response("First?")], document="a")
        one = await until_kept(lambda held: held > 0)
        async with client() as leaves:
            await score(leaves, tiny_pair, ScoreOptions(), [response("Quite another?")], document="a")
            await until_kept(lambda held: held > one)
        assert await until_kept(lambda held: held <= one) == one


def test_a_small_machine_keeps_less() -> None:
    assert limit_for(8 << 30) == 512 << 20
    assert limit_for(1 << 40) == DEFAULT_LIMIT_BYTES


async def test_a_template_that_loops_is_the_users_error_and_the_engine_goes_on(tiny_pair: PairSpec) -> None:
    async with client() as editor:
        refused: list[str] = []
        options = ScoreOptions(base_context=LOOP)
        try:
            await score(
                editor,
                tiny_pair,
                options,
                [response("First?")],
                on_refused=lambda message: refused.append(message.problem),
            )
        except ScoringError as error:
            refused.append(error.problem)
        assert refused == ["The context template was stopped: it takes too long."]
        assert (await editor.describe(tiny_pair)).base.parameters > 0


async def test_a_template_that_loops_obeys_a_cancel(tiny_pair: PairSpec) -> None:
    async with client() as editor:
        await editor.describe(tiny_pair)
        options, many = ScoreOptions(base_context=LOOP), [response(f"{number}?") for number in range(1000)]
        begun = asyncio.Event()
        job = asyncio.create_task(score(editor, tiny_pair, options, many, on_refused=lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), SECONDS)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        # A thousand loops that were not left would take more than an hour before this.
        await asyncio.wait_for(editor.describe(tiny_pair), SECONDS)

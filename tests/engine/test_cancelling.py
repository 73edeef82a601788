"""A cancelled job costs no more of the engine's time, told by the time that its process took."""

from __future__ import annotations

import asyncio

import pytest

from processes import processor_seconds
from score_job import score
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text

SECONDS = 60
SENTENCE = "The quick brown fox jumps over the lazy dog. "


def job_of(name: str) -> list[ResponseToScore]:
    """Responses that no earlier job has begun with."""
    return [
        ResponseToScore(
            turns=(ContextTurn.of("user", f"{name} {i}?"),),
            parts=one_text(SENTENCE * 60),
            source_format="labels",
        )
        for i in range(20)
    ]


def cpu_seconds(client: EngineClient) -> float:
    """What the engine process has taken so far, of all cores."""
    assert client.pid is not None
    return processor_seconds(client.pid)


@pytest.mark.parametrize("sharing", [Sharing.SHARED, Sharing.OWN])
async def test_a_cancelled_job_takes_no_more_time_of_the_engine(tiny_pair: PairSpec, sharing: Sharing) -> None:
    client = EngineClient(sharing=sharing)
    try:
        await client.describe(tiny_pair)
        before = cpu_seconds(client)
        await score(client, tiny_pair, ScoreOptions(), job_of("Whole"))
        whole = cpu_seconds(client) - before
        begun = asyncio.Event()
        job = asyncio.create_task(
            score(client, tiny_pair, ScoreOptions(), job_of("Cancelled"), on_scored=lambda _: begun.set())
        )
        await asyncio.wait_for(begun.wait(), SECONDS)
        before = cpu_seconds(client)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        # The jobs of one client are done in their order: when this is answered, the one before has come to its end.
        await asyncio.wait_for(client.describe(tiny_pair), SECONDS)
        assert cpu_seconds(client) - before < whole / 2
    finally:
        await client.close()

"""Continuations and ranks as jobs of the engine: streamed token by token, and over as soon as they are cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import aclosing

import pytest

from engine.doing import do
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.protocol import (
    Began,
    Cancelled,
    Continue,
    Done,
    Failed,
    Progress,
    Rank,
    Ranked,
    Reply,
    Wrote,
)
from shiftlens.engine.worker.jobs import Worker
from shiftlens.errors import ScoringError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.continuations import Sampling, Voice, voices
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text

SECONDS = 60
RESPONSE = ResponseToScore(
    turns=(ContextTurn.of("user", "Why?"),), parts=one_text("Great question! So it is."), source_format="labels"
)


def go_on(pair: PairSpec, *wanted: Voice, position: int = 2, tokens: int = 5, job: int = 1) -> Continue:
    return Continue(
        job=job,
        pair=pair,
        options=ScoreOptions(),
        response=RESPONSE,
        position=position,
        voices=wanted,
        sampling=Sampling(max_tokens=tokens),
    )


def test_a_cancelled_continuation_ends_before_its_next_token(tiny_pair: PairSpec) -> None:
    replies: list[Reply] = []

    def is_cancelled(job: int) -> bool:
        return job == 1 and sum(isinstance(reply, Wrote) for reply in replies) >= 3

    do(Worker(replies.append, is_cancelled), go_on(tiny_pair, Voice(0.0, 1), tokens=4000))
    told = [reply for reply in replies if not isinstance(reply, Progress)]
    assert [type(reply) for reply in told] == [Began, Wrote, Wrote, Wrote, Cancelled]


def test_other_jobs_get_their_turns_between_two_tokens(tiny_pair: PairSpec) -> None:
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _: False)
    steps = worker.steps(go_on(tiny_pair, Voice(0.5), tokens=4))
    alone = worker.steps(go_on(tiny_pair, Voice(0.5), tokens=4, job=2))
    tokens: dict[int, list[int]] = {1: [], 2: []}
    for _ in zip(steps, alone, strict=True):
        while replies:
            reply = replies.pop(0)
            if isinstance(reply, Wrote):
                tokens[reply.job].append(reply.token.id)
        assert abs(len(tokens[1]) - len(tokens[2])) <= 1
    assert tokens[1] == tokens[2]
    assert len(tokens[1]) == 4


def test_a_position_that_is_not_there_fails_the_job_in_words(tiny_pair: PairSpec) -> None:
    replies: list[Reply] = []
    do(Worker(replies.append, lambda _: False), go_on(tiny_pair, Voice(0.0), position=500))
    assert isinstance(replies[-1], Failed)
    assert replies[-1].kind == "ScoringError"
    assert "position 500" in replies[-1].problem


@pytest.mark.parametrize("sharing", [Sharing.SHARED, Sharing.OWN])
async def test_a_client_hears_each_token_then_who_spoke_and_may_leave_in_between(
    tiny_pair: PairSpec, sharing: Sharing
) -> None:
    client = EngineClient(sharing=sharing)
    wanted = voices([-1.0, 0.0, 0.5], samples=1, seed=3)
    try:
        heard = [event async for event in client.run(go_on(tiny_pair, *wanted, tokens=3))]
        spoken = [event for event in heard if not isinstance(event, Progress)]
        assert isinstance(spoken[0], Began)
        done = spoken[-1]
        assert isinstance(done, Done)
        assert done.base is not None
        assert done.base.name == tiny_pair.base
        order = [event.voice for event in spoken if isinstance(event, Wrote)]
        assert order == sorted(order)
        assert set(order) == set(range(len(wanted)))
        async with aclosing(client.run(go_on(tiny_pair, Voice(0.0, 1), tokens=4000))) as events:
            async for event in events:
                if isinstance(event, Wrote):
                    break
        # The jobs of one client are done in their order: this is answered when the one before has come to its end.
        rank = Rank(pair=tiny_pair, options=ScoreOptions(), response=RESPONSE, position=0, text="So")
        found = await asyncio.wait_for(client.rank(rank), SECONDS)
        assert isinstance(found, Ranked)
        assert [token.piece for token in found.ranked.base] == [token.piece for token in found.ranked.aligned]
        with pytest.raises(ScoringError, match="no tokens"):
            await client.rank(Rank(pair=tiny_pair, options=ScoreOptions(), response=RESPONSE, position=0, text=""))
    finally:
        await client.close()


async def test_a_pair_that_is_one_model_twice_says_the_same_twice(tiny_pair: PairSpec) -> None:
    client = EngineClient(sharing=Sharing.OWN)
    pair = dataclasses.replace(tiny_pair, aligned=tiny_pair.base)
    request = dataclasses.replace(ScoreOptions(), base_context="chat")
    try:
        asked = Continue(
            pair=pair, options=request, response=RESPONSE, position=2, voices=voices([-1.0, 0.0, 3.0], 1, 9)
        )
        found: dict[int, list[int]] = {}
        async for event in client.run(asked):
            if isinstance(event, Wrote):
                found.setdefault(event.voice, []).append(event.token.id)
        assert found[0] == found[2] == found[4]
        assert found[1] == found[3] == found[5]
    finally:
        await client.close()

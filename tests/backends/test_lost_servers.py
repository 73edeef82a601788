"""A server that is lost in mid-run: what was scored is kept, what was not is told, and scored when it is back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from backends.model_server import ModelServer, ends_with, hang, serving
from backends.test_servers import FOLDERS, QUICK, aligned_at, session
from backends.worker_link import ClientOfHere
from shiftlens.engine.protocol import Reply, Scored
from shiftlens.errors import ModelError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import ClassifyOptions, ScoreOptions
from shiftlens.pipeline.analyse import analyse
from shiftlens.pipeline.analyse_several import analyse_several
from shiftlens.pipeline.scoring_job import Update, scoring_job
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.scores.outcomes import OutcomeCache
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

pytestmark = pytest.mark.slow

HURRIED = dataclasses.replace(QUICK, again=0.5)
# The beginning of the longest one is what the server is probed with.
ANSWERS = ("This one is longer than the two others, and is the first answer.", "That is the second.", "The third.")
# Their ends, whose tokens are the same whatever comes before.
ENDS = (" first answer.", " the second.", " third.")
TALK = "".join(
    json.dumps({"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": answer}]}) + "\n"
    for answer in ANSWERS
)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(ModelServer("vllm", {"aligned": FOLDERS["aligned"]})) as server:
        yield server


def talk() -> Transcript:
    transcript = read(TALK, filename="talk.jsonl")
    assert transcript is not None
    return transcript


def hangs_after_the_first(server: ModelServer) -> None:
    later = [ends_with(FOLDERS["aligned"], end) for end in ENDS[1:]]
    server.fails_at = lambda ids: hang if any(each(ids) for each in later) else None


async def stopped_when_one_is_scored(
    server: ModelServer, client: ClientOfHere, work: Work, cache: OutcomeCache
) -> None:
    hangs_after_the_first(server)
    async with aclosing(scoring_job(work, client, cache=cache)) as events:
        async for event in events:
            if isinstance(event, Update):
                server.stop()


async def test_what_was_scored_is_kept_and_the_rest_is_scored_after_a_restart(server: ModelServer) -> None:
    client, cache, spec = ClientOfHere(session(HURRIED)), OutcomeCache(), aligned_at(server)
    with pytest.raises(ModelError) as lost:
        await stopped_when_one_is_scored(server, client, plan_work(talk(), spec, ScoreOptions()), cache)
    assert "1 of 3 responses had been scored; not scored: response 2 to 3." in lost.value.problem
    assert f"The server of {server.name('aligned')} can't be reached." in lost.value.problem
    assert lost.value.remedy == "Check that it runs and is ready, and score again."

    server.fails_at = lambda _: None
    server.asked.clear()
    server.start()
    work = plan_work(talk(), spec, ScoreOptions())
    async with aclosing(scoring_job(work, client, cache=cache)) as events:
        news = [event async for event in events if isinstance(event, Update)]
    assert len(news) == 2
    assert not work.is_missing_any
    first, *later = (ends_with(FOLDERS["aligned"], end) for end in ENDS)
    assert not any(first(body["prompt"]) for body in server.asked)
    assert all(any(each(body["prompt"]) for body in server.asked) for each in later)
    # It is probed again: two texts, and some before them.
    assert len(server.asked) > 2 + 6
    await client.close()


async def test_a_command_shows_what_was_scored_and_refuses_the_rest_with_the_reason(server: ModelServer) -> None:
    client = ClientOfHere(session(HURRIED), on_reply=lambda reply: server.stop() if isinstance(reply, Scored) else None)
    hangs_after_the_first(server)
    choice = Choice(
        pair=aligned_at(server), score_options=ScoreOptions(), classify_options=ClassifyOptions(), problems=()
    )
    found = await analyse(client, talk(), choice)
    assert [each.response.index for each in found.analysis.responses] == [0]
    assert [index for index, _ in found.refused] == [1, 2]
    assert all("can't be reached" in message for _, message in found.refused)
    await client.close()


async def test_models_whose_server_was_there_long_enough_are_shown_beside_one_that_came_too_late() -> None:
    with serving(ModelServer("vllm", {"aligned": FOLDERS["aligned"], "late": FOLDERS["base"]})) as server:
        scored = 0

        def stop_after_the_first_model(reply: Reply) -> None:
            nonlocal scored
            scored += isinstance(reply, Scored)
            if scored == len(ANSWERS):
                server.stop()

        client = ClientOfHere(session(HURRIED), on_reply=stop_after_the_first_model)
        first = Choice(
            pair=aligned_at(server), score_options=ScoreOptions(), classify_options=ClassifyOptions(), problems=()
        )
        late = dataclasses.replace(first, pair=dataclasses.replace(first.pair, aligned=server.name("late")))
        one, other = await analyse_several(client, talk(), [first, late])
        await client.close()
    assert (len(one.analysis.responses), one.refused) == (3, ())
    assert not other.analysis.responses
    assert [index for index, _ in other.refused] == [0, 1, 2]
    assert all("can't be reached" in message for _, message in other.refused)

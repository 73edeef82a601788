"""The requests of a long conversation are what each of its responses would be alone."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from score_job import score
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ScoringError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, Requests, ResponseToScore, digest_of, least_bytes, one_text, to_score
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.conversation import Conversation, Said, responses
from shiftlens.transcripts.model import Before, Role, Turn

turns = st.builds(
    lambda role, text: Turn.of(role, text, SourceMap.verbatim(0, len(text))),
    st.sampled_from(Role),
    st.text("ab\ud800", max_size=3),
)
talks = st.lists(st.lists(turns, min_size=1, max_size=6), max_size=3)


@given(talks)
def test_each_request_and_its_digest_are_those_of_the_response_alone(talk: list[list[Turn]]) -> None:
    found = responses([Conversation(tuple(map(Said, said))) for said in talk])
    requests = Requests(found, "openai")
    for order in (range(len(found)), reversed(range(len(found)))):
        for at in order:
            alone = to_score(replace(found[at], context=tuple(found[at].context)), "openai")
            assert requests[at] == alone
            assert requests.digest(at) == digest_of(alone)
    assert requests[:] == tuple(requests)


@given(st.lists(turns, max_size=5), st.data())
def test_the_turns_before_one_are_a_sequence_like_a_tuple_of_them(said: list[Turn], data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(said)))
    before, plain = Before(tuple(said), end), tuple(said[:end])
    same: object = before
    assert (same, len(before), tuple(before), before[1:]) == (plain, len(plain), plain, plain[1:])
    assert list(reversed(before)) == list(reversed(plain))
    assert hash(before) == hash(Before(plain, end))
    assert before != (*plain, Turn(Role.USER, ()))


def test_a_log_of_ten_thousand_turns_holds_each_turn_once() -> None:
    pair = [Turn.of(role, "a", SourceMap.verbatim(0, 1)) for role in (Role.USER, Role.ASSISTANT)]
    found = responses([Conversation(tuple(Said(pair[at % 2]) for at in range(10_000)))])
    assert len(found) == 5000
    contexts = [response.context for response in found]
    assert all(isinstance(context, Before) for context in contexts)
    assert len({id(context.turns) for context in contexts if isinstance(context, Before)}) == 1
    requests = Requests(found, "openai")
    assert len({requests.digest(at) for at in range(len(found))}) == 5000
    assert requests[1].turns[0] is requests[4999].turns[0]


@given(talks)
def test_requests_have_no_fewer_bytes_than_is_said(talk: list[list[Turn]]) -> None:
    requests = Requests(responses([Conversation(tuple(map(Said, said))) for said in talk]), "openai")[:]
    assert least_bytes(requests) <= len(msgspec.msgpack.encode(requests))


async def test_more_text_than_fits_a_message_is_refused_before_it_is_encoded() -> None:
    turn = ContextTurn.of("user", "a" * 12_000_000)
    many = [ResponseToScore(turns=(turn,), parts=one_text("a"), source_format="labels")] * 100
    client = EngineClient()
    with pytest.raises(ScoringError, match="too much text to score in one go") as refused:
        await score(client, PairSpec(base="a", aligned="b"), ScoreOptions(), many)
    assert "split the file" in refused.value.remedy
    assert client.pid is None

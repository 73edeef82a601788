"""The engine's worker in this process: what it feeds to the models."""

from __future__ import annotations

import pytest
import torch

from engine.doing import do
from passes import ids_fed
from shiftlens.engine.protocol import Done, Failed, Progress, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.opening.pair import OpenedPair

TEXT = "The quick brown fox jumps over the lazy dog. Great question! " * 6


def test_an_edit_at_the_end_feeds_only_the_end(tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = ids_fed(monkeypatch)
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _job: False)
    do(worker, _score(1, tiny_pair, TEXT))
    whole = sum(fed)
    fed.clear()
    do(worker, _score(2, tiny_pair, TEXT[:-10] + "blue sky"))
    assert sum(fed) < whole / 4
    assert [type(reply) for reply in replies if isinstance(reply, (Done, Scored))][-1] is Done


def _score(job: int, pair: PairSpec, text: str) -> Score:
    response = ResponseToScore(turns=(ContextTurn.of("user", "Why?"),), parts=one_text(text), source_format="labels")
    return Score(job=job, pair=pair, options=ScoreOptions(), responses=(response,))


def test_a_request_of_many_responses_scores_its_first_before_it_prepares_its_last(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    prepare = OpenedPair.prepare

    def told(self: OpenedPair, response: ResponseToScore, options: ScoreOptions) -> object:
        heard.append("prepared")
        return prepare(self, response, options)

    monkeypatch.setattr(OpenedPair, "prepare", told)
    responses = tuple(
        ResponseToScore(
            turns=(ContextTurn.of("user", f"Why {i}?"),), parts=one_text("Because."), source_format="labels"
        )
        for i in range(80)
    )
    replies: list[Reply] = []

    def send(reply: Reply) -> None:
        replies.append(reply)
        if isinstance(reply, Scored):
            heard.append("scored")

    do(Worker(send, lambda _job: False), Score(job=1, pair=tiny_pair, options=ScoreOptions(), responses=responses))
    assert heard.count("scored") == heard.count("prepared") == 80
    assert heard.index("scored") < 20
    fractions = [reply.fraction for reply in replies if isinstance(reply, Progress) and reply.phase == "scoring"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_a_job_that_gets_no_memory_fails_with_the_reason_and_leaves_none_taken(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _job: False)

    def refuse(*_: object) -> object:
        raise error

    with monkeypatch.context() as short_of_memory:
        short_of_memory.setattr(OpenedPair, "prepare", refuse)
        do(worker, _score(1, tiny_pair, TEXT))
    (failed,) = (reply for reply in replies if isinstance(reply, Failed))
    assert failed.kind == "ScoringError"
    assert "not enough memory" in failed.problem
    assert "smaller" in failed.remedy
    assert worker.session.models() == ()
    do(worker, _score(2, tiny_pair, TEXT))
    assert [reply.job for reply in replies if isinstance(reply, Done)] == [2]

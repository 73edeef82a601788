"""A job under several aligned models beside one base model: its events, its turn, and its way to an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.doing import do
from engine.fake_link import FakeLink
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.links import Link
from shiftlens.engine.protocol import (
    Cancelled,
    Done,
    Failed,
    Progress,
    Refused,
    Reply,
    Score,
    Scored,
    ScoreSeveral,
)
from shiftlens.engine.sharing.naming import deciding_pair
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.session import Session
from tiny_models import byte_level_tokenizer, save_model

TEXTS = ("Because air scatters blue light.", "Great question!", "No.")


def asked(*texts: str) -> tuple[ResponseToScore, ...]:
    turns = (ContextTurn.of("user", "Why?"),)
    return tuple(ResponseToScore(turns=turns, parts=one_text(text), source_format="labels") for text in texts)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_model(tmp_path_factory.mktemp("tuned"), byte_level_tokenizer(), seed=7))


def several(pair: PairSpec, *also: str, job: int = 1, texts: tuple[str, ...] = TEXTS) -> ScoreSeveral:
    return ScoreSeveral(job=job, pair=pair, also=also, options=ScoreOptions(), responses=asked(*texts))


def whole(replies: list[Reply]) -> dict[tuple[int, int], object]:
    return {
        (each.aligned, each.index): each.scored for each in replies if isinstance(each, Scored) and not each.partial
    }


def test_events_tell_which_aligned_model_they_are_of_and_the_numbers_are_those_of_pairs(
    tiny_pair: PairSpec, tuned: str
) -> None:
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _job: False)
    request = several(tiny_pair, tuned)
    do(worker, request)
    found = whole(replies)
    assert set(found) == {(model, index) for model in range(2) for index in range(len(TEXTS))}
    done = replies[-1]
    assert isinstance(done, Done)
    assert [each and each.path for each in (done.base, done.aligned, *done.also)] == [
        tiny_pair.base,
        tiny_pair.aligned,
        tuned,
    ]
    fractions = [each.fraction for each in replies if isinstance(each, Progress) and each.phase == "scoring"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    for number, pair in enumerate(request.pairs):
        alone: list[Reply] = []
        do(
            Worker(alone.append, lambda _job: False),
            Score(job=1, pair=pair, options=ScoreOptions(), responses=request.responses),
        )
        assert {(number, index): scored for (_, index), scored in whole(alone).items()} == {
            at: scored for at, scored in found.items() if at[0] == number
        }


def test_its_turn_hangs_on_the_models_of_the_go_that_it_is_in(tiny_pair: PairSpec, tuned: str) -> None:
    probe = Session()
    with probe.open(tiny_pair):
        one = max(model.nbytes for model in probe.models())
    replies: list[Reply] = []
    # Base and one aligned model fit into this, a third does not.
    worker = Worker(replies.append, lambda _job: False, Session(2 * one + one // 2))
    request = several(tiny_pair, tuned)
    assert worker.needs(request) == ()
    needs = [worker.needs(request) for _ in worker.steps(request)]
    assert list(dict.fromkeys(needs)) == [(pair,) for pair in request.pairs]
    assert worker.needs(request) == ()
    assert len(whole(replies)) == 2 * len(TEXTS)


def test_models_that_fit_together_are_all_needed_at_once(tiny_pair: PairSpec, tuned: str) -> None:
    worker = Worker(lambda _reply: None, lambda _job: False)
    request = several(tiny_pair, tuned)
    steps = worker.steps(request)
    next(steps)
    assert worker.needs(request) == request.pairs
    outlook = worker.session.outlook(*request.pairs)
    assert outlook.loads
    next(steps)
    opened = worker.session.outlook(*request.pairs)
    assert not opened.loads
    assert len(opened.units) == 3
    steps.close()  # type: ignore[attr-defined]
    assert worker.needs(request) == ()


def test_a_cancelled_job_needs_nothing_and_says_so(tiny_pair: PairSpec, tuned: str) -> None:
    cancelled: set[int] = set()
    replies: list[Reply] = []
    worker = Worker(replies.append, cancelled.__contains__)
    request = several(tiny_pair, tuned)
    steps = worker.steps(request)
    next(steps)
    cancelled.add(1)
    assert worker.needs(request) == ()
    for _ in steps:
        pass
    assert isinstance(replies[-1], Cancelled)


def test_a_model_that_is_not_there_fails_the_job_by_its_name(tiny_pair: PairSpec) -> None:
    replies: list[Reply] = []
    do(Worker(replies.append, lambda _job: False), several(tiny_pair, "/no/such/model"))
    assert isinstance(replies[-1], Failed)
    assert "/no/such/model" in replies[-1].problem


def described(name: str) -> ModelDescription:
    return ModelDescription(
        name=name,
        path=name,
        architecture="",
        parameters=1,
        vocabulary=1,
        max_positions=None,
        device="cpu",
        dtype="float32",
        fingerprint="",
    )


class Client(EngineClient):
    """Its jobs go to this link."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link

    async def _linked(self, pair: PairSpec) -> Link:  # noqa: ARG002
        return self.link


async def test_folders_go_to_the_engine_in_full_and_come_back_as_they_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("base", "sft", "dpo"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    link = FakeLink()
    events = Client(link).run(several(PairSpec(base="base", aligned="sft"), "dpo", "org/rl"))
    refused = Refused(job=1, index=0, problem="Empty.", remedy="", aligned=2)
    replies: list[Reply] = [
        refused,
        Done(
            job=1,
            base=described("/base"),
            aligned=described("/sft"),
            also=(described("/dpo"), described("/rl")),
        ),
    ]
    posted = link.send

    async def answered(request: ScoreSeveral) -> None:
        await posted(request)
        link.reply(*replies)

    monkeypatch.setattr(link, "send", answered)
    found = [event async for event in events]
    (sent,) = link.sent
    assert isinstance(sent, ScoreSeveral)
    assert [sent.pair.base, sent.pair.aligned, *sent.also] == [
        *(str(tmp_path / name) for name in ("base", "sft", "dpo")),
        "org/rl",
    ]
    done = found[-1]
    assert isinstance(done, Done)
    assert found[:-1] == [refused]
    assert [each and each.name for each in (done.base, done.aligned, *done.also)] == ["base", "sft", "dpo", "org/rl"]


def test_an_adapter_that_names_its_model_from_here_decides_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"base_model_name_or_path": "below"}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    pair = PairSpec(base="org/base", aligned="org/sft")
    here = str(tmp_path / "adapter")
    assert deciding_pair(several(pair, "org/dpo", here)) == replace(pair, aligned=here)
    assert deciding_pair(several(pair, "org/dpo")) == pair


@pytest.mark.usefixtures("lasting_engines")
async def test_a_shared_engine_does_the_job(tiny_pair: PairSpec, tuned: str) -> None:
    client = EngineClient(sharing=Sharing.SHARED)
    try:
        events = [event async for event in client.run(several(tiny_pair, tuned))]
    finally:
        await client.close()
    assert isinstance(events[-1], Done)
    scored = {(each.aligned, each.index) for each in events if isinstance(each, Scored) and not each.partial}
    assert scored == {(model, index) for model in range(2) for index in range(len(TEXTS))}

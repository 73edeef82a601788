"""Pairs of two vocabularies go on from earlier passes, show rows early, and score conversations in one pass."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from edits import QUESTION, edits, of
from engine.doing import do
from passes import assert_same, opened_pair
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import Token
from shiftlens.analysis.tokens import tokens
from shiftlens.engine.protocol import Cancelled, Progress, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.columns import float32
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore
from shiftlens.scoring import events
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import PassMemory
from shiftlens.scoring.passes.plan import PassPlan, plan_passes, response_groups
from shiftlens.scoring.passes.teacher_forcing import Scorer
from shiftlens.scoring.session import Session
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Response, Role, Turn
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

K = 10
WORDS = "Great question! The sky is blue because 🙂 air scatters 漢字 light. I hope this helps.\r\n" * 8
PAIRS = {
    "fewer merges": (byte_level_tokenizer(262), byte_level_tokenizer(330)),
    "sentence piece base": (sentence_piece_tokenizer(), byte_level_tokenizer()),
    "sentence piece aligned": (byte_level_tokenizer(), sentence_piece_tokenizer()),
}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    return opened(tmp_path_factory.mktemp("pair"), request.param)


EDITS = {
    **edits(WORDS),
    "an edit inside of a character of several tokens": of(WORDS.replace("漢", "溢")),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_pass_after_an_edit_has_the_numbers_of_a_fresh_one(pair: OpenedPair, edit: str) -> None:
    memory = PassMemory()
    rows(pair, of(WORDS), memory)
    assert_same(rows(pair, EDITS[edit], memory), rows(pair, EDITS[edit]), equal_nan=True)


def test_a_pass_after_many_edits_has_the_numbers_of_a_fresh_one(pair: OpenedPair) -> None:
    memory = PassMemory()
    for edit in (*EDITS, *reversed(EDITS)):
        again = rows(pair, EDITS[edit], memory)
    assert_same(again, rows(pair, EDITS[edit]), equal_nan=True)


def test_each_model_is_fed_only_its_own_ids_from_the_edit_on(pair: OpenedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = PassMemory()
    rows(pair, of(WORDS), memory)
    fed = counted(monkeypatch)
    for edit in ("an edit at the end", "the same text"):
        fed.clear()
        rows(pair, EDITS[edit], memory)
        whole = pair.prepare(of(WORDS), ScoreOptions())
        assert whole.base_encoding is not None
        assert 0 < fed[id(pair.base.causal.body)] < len(whole.base_encoding.ids) / 8
        assert 0 < fed[id(pair.aligned.causal.body)] < len(whole.ids) / 8


def test_an_unchanged_text_is_not_fed_at_all(pair: OpenedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = PassMemory()
    before = rows(pair, of(WORDS), memory)
    fed = counted(monkeypatch)
    assert_same(rows(pair, of(WORDS), memory), before, equal_nan=True)
    assert not fed


def test_a_pass_that_was_stopped_is_gone_on_from(pair: OpenedPair) -> None:
    memory = PassMemory()
    calls = itertools.count()

    def stop() -> None:
        if next(calls) == 6:
            raise KeyboardInterrupt

    (plan,) = plan_passes([pair.prepare(of(WORDS * 3), ScoreOptions())])
    with pytest.raises(KeyboardInterrupt):
        list(scorer(pair, memory).score(plan, stop))
    assert memory.nbytes > 0
    assert_same(rows(pair, of(WORDS * 3), memory), rows(pair, of(WORDS * 3)), equal_nan=True)


def test_every_chunk_ends_where_both_models_have_a_token_end(pair: OpenedPair) -> None:
    prepared = pair.prepare(of(WORDS * 3), ScoreOptions())
    (plan,) = plan_passes([prepared])
    ends = {group.end for group in response_groups(prepared)}
    reached = [collector.count for collector in scorer(pair).score(plan)]
    assert len(reached) > 2
    assert reached[0] <= len(prepared.ids) / 3
    assert set(reached) <= ends


def test_the_first_rows_are_sent_early_and_stay_as_they_are(pair: OpenedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftlens.scoring.running.pair_run._SECONDS_BETWEEN_PARTIALS", 0)
    replies = list(Session().score(spec_of(pair), ScoreOptions(), [of(WORDS * 3)]))
    *partial, whole = [reply for reply in replies if isinstance(reply, events.Scored)]
    assert partial
    assert not whole.partial
    for reply in partial:
        assert reply.partial
        assert_begins(whole.scored, reply.scored)
        assert [row.realigned for row in shown(reply.scored)] == [
            row.realigned for row in itertools.islice(shown(whole.scored), reply.scored.rows)
        ]
    fractions = [reply.fraction for reply in replies if isinstance(reply, events.Progress)]
    assert len(fractions) > 2
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_cancelled_job_stops_between_chunks(pair: OpenedPair) -> None:
    replies: list[Reply] = []

    def rows_have_come(_job: int) -> bool:
        return any(isinstance(reply, Progress) and reply.phase == "scoring" for reply in replies)

    do(
        Worker(replies.append, rows_have_come),
        Score(job=1, pair=spec_of(pair), options=ScoreOptions(), responses=(of(WORDS * 6),)),
    )
    assert isinstance(replies[-1], Cancelled)
    assert not [reply for reply in replies if isinstance(reply, Scored) and not reply.partial]


@pytest.mark.parametrize("context", ["chat", "raw"])
def test_a_conversation_has_the_numbers_of_its_responses_alone(pair: OpenedPair, context: str) -> None:
    ready = conversation(pair, [WORDS[:90], WORDS, "Because.", WORDS[20:200]], context)
    found = {}
    for plan in plan_passes(ready):
        (*_, collector) = scorer(pair).score(plan)
        starts = (0, *plan.ends)
        for member, start, end in zip(plan.members, starts, plan.ends, strict=False):
            found[member] = collector.all().part(
                slice(start, end), slice(plan.base_positions(start), plan.base_positions(end))
            )
    for i, prepared in enumerate(ready):
        assert_same(found[i], alone(pair, prepared), equal_nan=True)


def test_a_conversation_is_one_pass_where_each_models_ids_go_on(tmp_path: Path) -> None:
    pair = opened(tmp_path, "fewer merges")
    ready = conversation(pair, [WORDS, "Because.", WORDS[:200]], "chat")
    (plan,) = plan_passes(ready)
    assert plan.members == (0, 1, 2)
    assert len(plan.base.positions) != len(plan.aligned.positions)
    longer = conversation(pair, [WORDS, "Because.", WORDS[:200] + "More."], "chat")
    memory = PassMemory()
    list(scorer(pair, memory).score(plan))
    # The server asks for what it does not have: the last response alone.
    (last,) = plan_passes(longer[2:])
    known = memory.take(last)
    assert known is not None
    remembered = known.numbers_for(last, K)
    assert remembered is not None
    assert len(remembered.kl) > len(ready[2].ids) - 8
    memory.keep(known)
    (*_, collector) = scorer(pair, memory).score(last)
    assert_same(collector.all(), alone(pair, longer[2]), equal_nan=True)


def test_short_responses_fed_together_have_the_numbers_of_each_alone(pair: OpenedPair) -> None:
    ready = [pair.prepare(of(text), ScoreOptions()) for text in ("Sky.", WORDS[:70], "I hope this helps 漢.")]
    together = pair.scorer(K).score_together(plan_passes(ready))
    for prepared, found in zip(ready, together, strict=True):
        assert_same(found, alone(pair, prepared), equal_nan=True)


def test_rows_do_not_hold_where_the_response_ends_with_another_token(pair: OpenedPair) -> None:
    """What the base model makes of the aligned model's end is in the numbers of every row."""
    prepared = pair.prepare(of(WORDS), ScoreOptions())
    memory = PassMemory()
    (plan,) = plan_passes([prepared])
    list(scorer(pair, memory).score(plan))
    other = dataclasses.replace(prepared, base=dataclasses.replace(prepared.base, end_id=prepared.base.end_id - 1))
    (changed,) = plan_passes([other])
    remembered = memory.take(changed)
    assert remembered is not None
    assert remembered.numbers_for(changed, K) is None


def opened(folder: Path, name: str) -> OpenedPair:
    base, aligned = (
        save_model(folder / side, tokenizer, seed=seed)
        for seed, (side, tokenizer) in enumerate(zip(("base", "aligned"), PAIRS[name], strict=True))
    )
    spec = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    return opened_pair(spec)


def spec_of(pair: OpenedPair) -> PairSpec:
    return PairSpec(base=pair.base.loaded.name, aligned=pair.aligned.loaded.name, device="cpu")


def scorer(pair: OpenedPair, memory: PassMemory | None = None) -> Scorer:
    return dataclasses.replace(pair.scorer(K), memory=memory)


def rows(pair: OpenedPair, response: ResponseToScore, memory: PassMemory | None = None) -> PairTensors:
    (plan,) = plan_passes([pair.prepare(response, ScoreOptions())])
    return scored(pair, plan, memory)


def alone(pair: OpenedPair, prepared: Prepared) -> PairTensors:
    (plan,) = plan_passes([prepared])
    return scored(pair, plan, None)


def scored(pair: OpenedPair, plan: PassPlan, memory: PassMemory | None) -> PairTensors:
    (*_, collector) = scorer(pair, memory).score(plan)
    return collector.all()


def conversation(pair: OpenedPair, answers: Sequence[str], context: str) -> list[Prepared]:
    turns: list[ContextTurn] = []
    ready = []
    for answer in answers:
        turns.append(QUESTION)
        ready.append(pair.prepare(of(answer, *turns), ScoreOptions(base_context=context)))
        turns.append(ContextTurn.of("assistant", answer))
    return ready


def counted(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How many ids each model's body was fed from now on."""
    fed: dict[int, int] = {}
    states = CausalModel.hidden_states

    def counting(self: CausalModel, ids: torch.Tensor, cache: object, **keep: bool) -> object:
        fed[id(self.body)] = fed.get(id(self.body), 0) + ids.numel()
        return states(self, ids, cache, **keep)

    monkeypatch.setattr(CausalModel, "hidden_states", counting)
    return fed


def shown(scored: ScoredResponse) -> list[Token]:
    text = WORDS * 3
    asked = Turn.of(Role.USER, QUESTION.text, SourceMap.verbatim(0, len(QUESTION.text)))
    answer = Response(0, (asked,), Turn.of(Role.ASSISTANT, text, SourceMap.verbatim(100, len(text))))
    return list(tokens(build(answer, scored, ClassifyOptions())))


def assert_begins(whole: ScoredResponse, first: ScoredResponse) -> None:
    own, whole_own = first.comparison.alignment, whole.comparison.alignment
    assert own is not None
    assert whole_own is not None
    assert 0 < first.rows < whole.rows
    for mine, theirs in ((first.base, whole.base), (first.aligned, whole.aligned)):
        assert theirs.ids.startswith(mine.ids)
        assert theirs.rank.startswith(mine.rank)
        assert theirs.logprob.startswith(mine.logprob)
        assert all(value == value for value in float32(mine.logprob))
    assert whole_own.first.startswith(own.first)
    assert whole_own.base_first.startswith(own.base_first)
    assert whole_own.base_tokens.startswith(own.base_tokens)

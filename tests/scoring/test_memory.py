"""Going on from an earlier pass gives the numbers of a pass from the beginning."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformers.cache_utils import DynamicCache

from edits import edits, of
from passes import assert_same, ids_fed, opened_pair, score_rows
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore
from shiftlens.scoring.inputs.prepare import prepare
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.caches import RoomyLayer, can_be_cut, cut, make_room
from shiftlens.scoring.passes.memory import PassMemory

WORDS = "The quick brown fox jumps over the lazy dog. Great question! I hope this helps. " * 8


@pytest.fixture(scope="module")
def pair(tiny_pair: PairSpec) -> OpenedPair:
    return opened_pair(tiny_pair)


EDITS = edits(WORDS)


@pytest.mark.parametrize("edit", EDITS)
def test_a_pass_after_an_edit_has_the_numbers_of_a_fresh_one(pair: OpenedPair, edit: str) -> None:
    memory = PassMemory()
    rows(pair, of(WORDS), memory)
    assert_same(rows(pair, EDITS[edit], memory), rows(pair, EDITS[edit], None))


def test_a_pass_after_many_edits_has_the_numbers_of_a_fresh_one(pair: OpenedPair) -> None:
    memory = PassMemory()
    for edit in (*EDITS, *reversed(EDITS)):
        again = rows(pair, EDITS[edit], memory)
    assert_same(again, rows(pair, EDITS[edit], None))


def test_an_edit_feeds_only_the_ids_from_the_edit_on(pair: OpenedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = ids_fed(monkeypatch)
    memory = PassMemory()
    rows(pair, of(WORDS), memory)
    whole = sum(fed)
    fed.clear()
    rows(pair, EDITS["an edit at the end"], memory)
    assert sum(fed) < whole / 10
    fed.clear()
    rows(pair, EDITS["the next turn"], memory)
    assert sum(fed) < whole


def test_a_pass_that_was_stopped_is_gone_on_from(pair: OpenedPair) -> None:
    memory = PassMemory()
    calls = itertools.count()

    def stop() -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rows(pair, of(WORDS), memory, stop)
    assert memory.nbytes > 0
    assert_same(rows(pair, of(WORDS), memory), rows(pair, of(WORDS), None))


def test_an_edit_early_in_a_text_feeds_what_follows_it(pair: OpenedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = PassMemory()
    rows(pair, of(WORDS), memory)
    one = memory.nbytes
    with monkeypatch.context() as patch:
        fed = ids_fed(patch)
        early = of(WORDS[:150] + "red" + WORDS[150:])
        rows(pair, early, None)
        whole = sum(fed)
        fed.clear()
        again = rows(pair, early, memory)
        assert sum(fed) < whole * 0.8
    assert memory.nbytes < one * 3 // 2
    assert_same(again, rows(pair, early, None))


def test_another_response_to_a_long_question_goes_on_from_the_question_and_leaves_the_first(
    pair: OpenedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = PassMemory()
    question = ContextTurn.of("user", WORDS)
    rows(pair, of("Great question! " + WORDS, question), memory)
    other = of("Blue. " + WORDS, question)
    with monkeypatch.context() as patch:
        fed = ids_fed(patch)
        rows(pair, other, None)
        whole = sum(fed)
        fed.clear()
        again = rows(pair, other, memory)
        assert sum(fed) < whole * 0.7
        fed.clear()
        rows(pair, of("Great question! " + WORDS, question), memory)
        assert not fed
    assert_same(again, rows(pair, other, None))


def test_rows_are_kept_where_the_caches_alone_are_more_than_the_limit(pair: OpenedPair) -> None:
    roomy = PassMemory()
    found = rows(pair, of(WORDS), roomy)
    assert found.nbytes < roomy.nbytes / 2
    memory = PassMemory(limit_bytes=found.nbytes)
    rows(pair, of(WORDS), memory)
    assert memory.nbytes == found.nbytes
    assert_same(rows(pair, EDITS["an edit at the end"], memory), rows(pair, EDITS["an edit at the end"], None))


def test_a_response_to_another_question_leaves_the_pass_of_the_first(pair: OpenedPair) -> None:
    memory = PassMemory()
    rows(pair, of(WORDS), memory)
    one = memory.nbytes
    rows(pair, of(WORDS, ContextTurn.of("user", "Why is the sky red?")), memory)
    assert memory.nbytes > one * 3 // 2


def test_the_memory_stays_within_its_bytes(pair: OpenedPair) -> None:
    memory = PassMemory(limit_bytes=1)
    rows(pair, of(WORDS), memory)
    assert memory.nbytes == 0
    roomy = PassMemory()
    rows(pair, of(WORDS), roomy)
    one = roomy.nbytes
    two = PassMemory(limit_bytes=one + one // 2)
    for text in (WORDS, "Other. " + WORDS, "More. " + WORDS):
        rows(pair, of(text, ContextTurn.of("user", text[:5] * 20)), two)
    assert 0 < two.nbytes <= two.limit_bytes


def rows(pair: OpenedPair, response: ResponseToScore, memory: PassMemory | None, check: object = None) -> PairTensors:
    prepared = prepare(pair.base.loaded, pair.aligned.loaded, response, ScoreOptions())
    checks = {"check": check} if check else {}
    return list(score_rows(pair.base.causal, pair.aligned.causal, prepared, 10, memory=memory, **checks))[-1].all()  # type: ignore[arg-type]


def test_a_layer_with_room_holds_what_a_plain_one_does_through_cuts_and_overflow() -> None:
    plain, roomy = DynamicCache(), DynamicCache()
    torch.manual_seed(0)
    steps = [("feed", 3), ("feed", 4), ("cut", 5), ("feed", 2), ("feed", 9), ("cut", 8), ("feed", 1), ("feed", 2)]
    for place, (what, size) in enumerate(steps):
        if place == 1:
            make_room(roomy, 10)
            assert isinstance(roomy.layers[0], RoomyLayer)
        if what == "cut":
            cut(plain, size)
            cut(roomy, size)
            continue
        keys, values = torch.randn(1, 2, size, 4), torch.randn(1, 2, size, 4)
        for ours, theirs in zip(roomy.update(keys, values, 0), plain.update(keys, values, 0), strict=True):
            assert torch.equal(ours, theirs)
    assert can_be_cut(roomy)

"""Passes longer than a model go on from earlier ones too: the numbers of a pass from the beginning, for less."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edits import edits, of
from passes import assert_same, ids_fed, opened_pair
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.memory import PassMemory
from shiftlens.scoring.passes.plan import plan_passes
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

K = 10
TEXT = "Great question! The sky is blue because air scatters blue light. I hope this helps.\n" * 8
WAYS: dict[str, tuple[str, tuple[int, int], dict[str, object]]] = {
    "one length": ("llama", (128, 128), {}),
    "two lengths": ("llama", (128, 176), {}),
    "one that fits": ("llama", (128, 4096), {}),
    "learned positions": ("gpt2", (160, 128), {"n_embd": 32, "n_layer": 2, "n_head": 4}),
    "caches that can't be cut": ("mistral", (128, 128), {"sliding_window": 32}),
    "two vocabularies": ("llama", (160, 128), {}),
}


@pytest.fixture(scope="module", params=WAYS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    return opened(tmp_path_factory.mktemp("pair"), request.param)


EDITS = {
    **edits(TEXT),
    "an edit of one token for another": of(TEXT[:400] + TEXT[400:].replace("sky", "air", 1)),
    "a text that fits": of(TEXT[:100]),
    "a much longer text": of(TEXT * 2),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_pass_after_an_edit_has_the_numbers_of_a_fresh_one(pair: OpenedPair, edit: str) -> None:
    memory = PassMemory()
    rows(pair, of(TEXT), memory)
    assert_same(rows(pair, EDITS[edit], memory), rows(pair, EDITS[edit]), equal_nan=not pair.same_tokens)


def test_a_pass_after_many_edits_has_the_numbers_of_a_fresh_one(pair: OpenedPair) -> None:
    memory = PassMemory()
    for edit in (*EDITS, *reversed(EDITS)):
        again = rows(pair, EDITS[edit], memory)
    assert_same(again, rows(pair, EDITS[edit]), equal_nan=not pair.same_tokens)


def test_a_text_is_gone_on_from_as_it_outgrows_the_model(pair: OpenedPair) -> None:
    memory = PassMemory()
    for end in range(60, len(TEXT), 41):
        grown = rows(pair, of(TEXT[:end]), memory)
    assert_same(grown, rows(pair, of(TEXT[:end])), equal_nan=not pair.same_tokens)


def test_an_unchanged_text_is_not_fed_at_all(pair: OpenedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = PassMemory()
    for _ in range(2):
        before = rows(pair, of(TEXT), memory)
    fed = ids_fed(monkeypatch)
    assert_same(rows(pair, of(TEXT), memory), before, equal_nan=not pair.same_tokens)
    assert not fed


@pytest.mark.parametrize("way", ["one length", "learned positions", "two vocabularies"])
def test_an_edit_at_the_end_feeds_only_the_end_of_the_last_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    pair = opened(tmp_path, way)
    memory = PassMemory()
    rows(pair, of(TEXT), memory)
    fed = ids_fed(monkeypatch)
    rows(pair, EDITS["an edit at the end"], memory)
    assert 0 < sum(fed) <= 40


def test_an_edit_leaves_the_windows_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("one length", "caches that can't be cut"):
        pair = opened(tmp_path / way, way)
        memory = PassMemory()
        rows(pair, of(TEXT), memory)
        with monkeypatch.context() as patch:
            fed = ids_fed(patch)
            rows(pair, of(TEXT))
            whole = sum(fed)
            fed.clear()
            rows(pair, EDITS["an edit in the middle"], memory)
            assert sum(fed) < whole * 0.75


def test_the_memory_holds_one_window_of_each_model(tmp_path: Path) -> None:
    pair = opened(tmp_path, "one length")
    memory = PassMemory()
    rows(pair, of(TEXT[:280]), memory)
    fits = memory.nbytes
    longer = PassMemory()
    found = rows(pair, of(TEXT * 2), longer)
    assert longer.nbytes <= fits + found.nbytes + fits // 2


def opened(folder: Path, way: str) -> OpenedPair:
    model_type, limits, overrides = WAYS[way]
    base_tokenizer = sentence_piece_tokenizer() if way == "two vocabularies" else byte_level_tokenizer()
    names = [
        save_model(
            folder / name,
            tokenizer,
            seed=seed,
            model_type=model_type,
            max_position_embeddings=limit,
            **overrides,
        )
        for seed, (name, limit, tokenizer) in enumerate(
            zip(("base", "aligned"), limits, (base_tokenizer, byte_level_tokenizer()), strict=True)
        )
    ]
    spec = PairSpec(base=str(names[0]), aligned=str(names[1]), device="cpu")
    return opened_pair(spec)


def rows(pair: OpenedPair, response: ResponseToScore, memory: PassMemory | None = None) -> PairTensors:
    (plan,) = plan_passes([pair.prepare(response, ScoreOptions())])
    (*_, collector) = dataclasses.replace(pair.scorer(K), memory=memory).score(plan)
    return collector.all()

"""NaN and infinity are no numbers: the response is refused, with the model, the place and what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from engine.doing import do
from shiftlens.cli.main import main
from shiftlens.engine.protocol import Done, Refused, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.location import CACHE_DIR_VARIABLE, user_store
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.numbers.formulae import BaseBlock, side_tensors
from shiftlens.scoring.numbers.tiles import Scratch
from tiny_models import byte_level_tokenizer, save_model, save_pair, sentence_piece_tokenizer

GOOD = "The quick brown fox jumps over the lazy dog."
QUESTION = (ContextTurn.of("user", "Why is the sky blue?"),)
# A token of its own in the tiny vocabulary, so that its embedding is of no other text.
BAD_TOKEN = "%"
BAD = f"The quick {BAD_TOKEN} fox jumps over the lazy dog."

Damage = Callable[[dict[str, torch.Tensor]], None]


def response(text: str, turns: tuple[ContextTurn, ...] = QUESTION) -> ResponseToScore:
    return ResponseToScore(turns=turns, parts=one_text(text), source_format="labels")


def damaged(folder: Path, damage: Damage) -> Path:
    """The same model with other weights in its file."""
    file = folder / "model.safetensors"
    weights = {name: tensor.clone() for name, tensor in load_file(file).items()}
    damage(weights)
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def bad_embedding(value: float) -> Damage:
    (bad,) = byte_level_tokenizer()(BAD_TOKEN, add_special_tokens=False)["input_ids"]

    def damage(weights: dict[str, torch.Tensor]) -> None:
        weights["model.embed_tokens.weight"][bad, 3] = value

    return damage


def bad_head(value: float) -> Damage:
    def damage(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"][7, 0] = value

    return damage


@pytest.fixture(scope="module")
def bad_pair(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """Its aligned model is well but for one token."""
    base, aligned = save_pair(tmp_path_factory.mktemp("bad"))
    return PairSpec(base=str(base), aligned=str(damaged(aligned, bad_embedding(torch.nan))), device="cpu")


def done(
    worker: Worker, replies: list[Reply], pair: PairSpec, *responses: ResponseToScore
) -> tuple[dict[int, Scored], dict[int, Refused]]:
    """Which of these come out whole, and which are refused."""
    replies.clear()
    do(worker, Score(job=1, pair=pair, options=ScoreOptions(), responses=responses))
    assert isinstance([reply for reply in replies if not isinstance(reply, Scored)][-1], Done)
    scored = {reply.index: reply for reply in replies if isinstance(reply, Scored) and not reply.partial}
    refused = {reply.index: reply for reply in replies if isinstance(reply, Refused)}
    assert not scored.keys() & refused.keys()
    assert len(scored) + len(refused) == len(responses)
    return scored, refused


def fresh(pair: PairSpec, *responses: ResponseToScore) -> tuple[dict[int, Scored], dict[int, Refused]]:
    replies: list[Reply] = []
    return done(Worker(replies.append, lambda _: False), replies, pair, *responses)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("side", ["base", "aligned"])
def test_one_bad_weight_of_a_head_refuses_the_response(tmp_path: Path, side: str, value: float) -> None:
    folders = dict(zip(("base", "aligned"), save_pair(tmp_path), strict=True))
    damaged(folders[side], bad_head(value))
    scored, refused = fresh(
        PairSpec(base=str(folders["base"]), aligned=str(folders["aligned"]), device="cpu"), response(GOOD)
    )
    assert not scored
    # A weight of infinity makes a logit of plus or of minus infinity, of which only the first is a fault.
    where = "token 0 of the response ('The'" if value != value else "token "
    assert f"The logits of {folders[side]} are NaN or infinite at {where}" in refused[0].problem
    assert "Fetch it anew" in refused[0].remedy
    assert "--dtype" in refused[0].remedy


def test_float16_that_overflows_is_refused_and_another_dtype_named(tmp_path: Path) -> None:
    base, aligned = save_pair(tmp_path)

    def damage(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"] *= 3e4

    damaged(base, damage)
    pair = PairSpec(base=str(base), aligned=str(aligned), device="cpu", dtype="float16")
    scored, refused = fresh(pair, response(GOOD))
    assert not scored
    assert "choose float32 or bfloat16" in refused[0].remedy
    assert fresh(replace(pair, dtype="float32"), response(GOOD))[0].keys() == {0}


def test_ids_that_a_model_never_chooses_are_no_fault(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    folders = [save_model(tmp_path / name, tokenizer, seed=0, model_type="phi", **shape) for name in ("base", "never")]
    unused = sorted(set(range(len(tokenizer))) - set(tokenizer(GOOD)["input_ids"]))[10:200]

    def mask(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.bias"][unused] = -torch.inf

    damaged(folders[1], mask)
    scored, _ = fresh(PairSpec(base=str(folders[0]), aligned=str(folders[1]), device="cpu"), response(GOOD))
    assert not set(int32(scored[0].scored.aligned.top_ids)) & set(unused)
    assert all(math.isfinite(value) for value in float32(scored[0].scored.comparison.kl))


def test_a_response_without_the_bad_token_is_scored_beside_one_that_has_it(bad_pair: PairSpec) -> None:
    scored, refused = fresh(bad_pair, response(GOOD), response(BAD), response("Because air scatters blue light."))
    assert scored.keys() == {0, 2}
    assert refused.keys() == {1}
    alone, _ = fresh(bad_pair, response(GOOD))
    assert scored[0].scored.base.rank == alone[0].scored.base.rank


def test_only_what_comes_after_the_bad_token_of_a_conversation_is_refused(bad_pair: PairSpec) -> None:
    turns: tuple[ContextTurn, ...] = ()
    conversation = []
    for text in (GOOD, "Great question!", BAD, GOOD):
        turns = (*turns, *QUESTION)
        conversation.append(response(text, turns))
        turns = (*turns, ContextTurn.of("assistant", text))
    scored, refused = fresh(bad_pair, *conversation)
    assert scored.keys() == {0, 1}
    assert refused.keys() == {2, 3}


def test_a_long_response_is_refused_also_where_its_first_rows_were_told(bad_pair: PairSpec) -> None:
    long = response(GOOD * 60 + BAD)
    scored, refused = fresh(bad_pair, long, response(GOOD))
    assert scored.keys() == {1}
    assert refused.keys() == {0}


def test_a_response_longer_than_its_model_is_refused(tmp_path: Path) -> None:
    base, aligned = save_pair(tmp_path, max_position_embeddings=128)
    damaged(base, bad_embedding(torch.nan))
    pair = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    assert fresh(pair, response(GOOD * 10 + BAD))[1].keys() == {0}
    assert fresh(pair, response(GOOD * 10))[0].keys() == {0}


@pytest.mark.parametrize("side", ["base", "aligned"])
def test_either_model_of_two_vocabularies_is_looked_at(tmp_path: Path, side: str) -> None:
    bad, good = byte_level_tokenizer(), sentence_piece_tokenizer()
    broken = damaged(save_model(tmp_path / "broken", bad, seed=0), bad_embedding(torch.nan))
    whole = save_model(tmp_path / "whole", good, seed=1)
    base, aligned = (broken, whole) if side == "base" else (whole, broken)
    scored, refused = fresh(
        PairSpec(base=str(base), aligned=str(aligned), device="cpu"), response(BAD), response("Great question!")
    )
    assert scored.keys() == {1}
    assert str(broken) in refused[0].problem


def test_nothing_of_a_refused_response_is_kept_for_the_next_edit(bad_pair: PairSpec) -> None:
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _: False)
    assert done(worker, replies, bad_pair, response(BAD))[1].keys() == {0}
    assert worker.memory().kv_bytes == 0
    mended, _ = done(worker, replies, bad_pair, response(GOOD))
    plain, _ = fresh(bad_pair, response(GOOD))
    assert mended[0].scored == plain[0].scored


def test_no_refused_response_is_stored(
    bad_pair: PairSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    talk = tmp_path / "talk.txt"
    talk.write_text(f"User: Why?\nAssistant: {GOOD}\n\nUser: And?\nAssistant: {BAD}\n")
    arguments = ["analyze", str(talk), "--base", bad_pair.base, "--aligned", bad_pair.aligned, "--device", "cpu"]
    for _ in range(2):
        assert main([*arguments, "--format", "json", "--private-engine"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert [each["index"] for each in found["responses"]] == [0]
        assert [each["index"] for each in found["refused"]] == [1]
    assert user_store().stats().entries == 1


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**16),
    width=st.integers(12, 3000),
    tile=st.integers(40, 3000),
    value=st.sampled_from([torch.nan, torch.inf]),
    masked=st.floats(0, 0.999),
    data=st.data(),
)
def test_any_one_bad_logit_breaks_its_row_and_no_other(
    seed: int, width: int, tile: int, value: float, masked: float, data: st.DataObject
) -> None:
    """Ids that a model never chooses have -inf, and are no fault as long as there are others."""
    generator = torch.Generator().manual_seed(seed)
    base, aligned = (torch.randn(3, width, generator=generator) * 5 for _ in range(2))
    for logits in (base, aligned):
        kept = torch.randint(0, width, (1,), generator=generator)
        hidden = torch.rand(3, width, generator=generator) < masked
        hidden[:, kept] = False
        logits[hidden] = -torch.inf
    base[1, data.draw(st.integers(0, width - 1))] = value
    aligned[2] = -torch.inf
    ids = torch.randint(0, width, (3,), generator=generator)
    cut = [[logits[:, start : start + tile] for start in range(0, width, tile)] for logits in (base, aligned)]
    scratch = Scratch(3 * tile, base.device)
    early = aligned.gather(1, ids.unsqueeze(1)).squeeze(1)
    rows, _ = BaseBlock(cut[0], ids, 10, scratch).beside(cut[1], ids, 10, scratch, early)
    assert rows.base.broken.tolist() == [False, True, False]
    assert rows.aligned.broken.tolist() == [False, False, True]
    assert rows.first_broken() == 1
    assert side_tensors(cut[0], ids, 10, scratch)[0].broken.tolist() == [False, True, False]

"""The engine's numbers against a plain loop over full forwards, and its spans against the text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passes import opened_pair, score_rows
from plain_scoring import PlainRow, kl, plain_rows
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.records import ScoredResponse, SideScores
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.prepare import Prepared, prepare
from shiftlens.scoring.numbers.pack import pack
from shiftlens.scoring.opening.pair import OpenedPair
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

NATS = 1e-4
QUESTION = (ContextTurn.of("user", "Why is the sky blue?"),)
CONTEXTS = ["aligntds", "chat", "raw", "few-shot", "template:{{ query }} -> "]

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}

hostile_text = st.lists(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("aé🙂👩🏽‍🚀漢字مرحبا\u0301\u2028\u2029\x00\x0b\x0c\x85 \t\r\n|<>`*"),
        st.sampled_from(["\r\n", "<|im_end|>", "</s>", "  ", "Great question!"]),
    ),
    min_size=1,
    max_size=30,
).map("".join)


@pytest.fixture(scope="module")
def byte_level(tiny_pair: PairSpec) -> OpenedPair:
    return opened_pair(tiny_pair)


@pytest.fixture(scope="module")
def sentence_piece(tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    folder = tmp_path_factory.mktemp("sentence_piece")
    return _open(folder, "llama", sentence_piece_tokenizer())


@pytest.mark.parametrize("context", CONTEXTS)
def test_rank_logprob_top_and_kl_are_those_of_a_full_forward_per_position(byte_level: OpenedPair, context: str) -> None:
    text = "Great question! The sky is blue \u2028 because 🙂 air\r\nscatters <|im_end|> light.\x00 漢字"
    prepared, scored = _score(byte_level, text, context)
    assert _worst_difference(byte_level, prepared, scored) < NATS


@pytest.mark.parametrize("pair_name", ["byte_level", "sentence_piece"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=hostile_text)
def test_any_text_is_scored_exactly_and_its_tokens_join_to_it(
    request: pytest.FixtureRequest, pair_name: str, text: str
) -> None:
    pair: OpenedPair = request.getfixturevalue(pair_name)
    prepared, scored = _score(pair, text, "aligntds")
    _assert_spans_partition(scored, text)
    assert _worst_difference(pair, prepared, scored) < NATS


@pytest.mark.parametrize("pair_name", ["byte_level", "sentence_piece"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=hostile_text)
def test_tokens_join_to_the_response(request: pytest.FixtureRequest, pair_name: str, text: str) -> None:
    pair: OpenedPair = request.getfixturevalue(pair_name)
    response = ResponseToScore(turns=QUESTION, parts=one_text(text), source_format="labels")
    prepared = prepare(pair.base.loaded, pair.aligned.loaded, response, ScoreOptions())
    pieces = pair.aligned.loaded.encoder.pieces
    data, start = text.encode(), 0
    for token_id, end in zip(prepared.ids, prepared.byte_ends, strict=True):
        assert pieces[token_id].endswith(data[start:end])
        start = end
    assert start == len(data)


def test_a_line_of_ten_thousand_characters_is_scored_whole(tmp_path: Path) -> None:
    pair = _open(tmp_path, "llama", byte_level_tokenizer(), max_position_embeddings=32_768)
    text = ("naïve 🙂 The quick brown fox jumps over the lazy dog. " * 200)[:10_000]
    prepared, scored = _score(pair, text, "aligntds")
    assert len(text) == 10_000
    _assert_spans_partition(scored, text)
    assert _worst_difference(pair, prepared, scored, every=3000) < NATS


@pytest.mark.parametrize(
    ("model_type", "overrides"),
    [
        ("mistral", {"sliding_window": 16}),
        ("qwen2", {"tie_word_embeddings": True}),
        ("gemma2", {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}),
        ("cohere", {**SMALL, "logit_scale": 0.0625}),
        ("granite", {**SMALL, "logits_scaling": 8.0}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4}),
        ("gpt_neox", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}),
        ("mamba", {"hidden_size": 32, "num_hidden_layers": 2}),
        ("mixtral", {**SMALL, "num_local_experts": 4}),
    ],
)
def test_other_architectures_are_exact_too(tmp_path: Path, model_type: str, overrides: dict[str, object]) -> None:
    pair = _open(tmp_path, model_type, byte_level_tokenizer(), **overrides)
    assert pair.base.causal.head is not None
    prepared, scored = _score(pair, "The sky is blue because air scatters blue light. " * 6, "aligntds")
    assert _worst_difference(pair, prepared, scored, every=9) < NATS


def test_a_long_response_is_scored_in_chunks_with_the_numbers_of_one(byte_level: OpenedPair) -> None:
    text = "Great question! The quick brown fox jumps over the lazy dog. " * 30
    prepared, scored = _score(byte_level, text, "aligntds")
    assert scored.rows > 600
    assert _worst_difference(byte_level, prepared, scored, every=37) < NATS


def test_the_sides_share_every_id_but_the_end(byte_level: OpenedPair) -> None:
    _, scored = _score(byte_level, "Great question!", "aligntds")
    tokenizer = byte_level.aligned.loaded.encoder.tokenizer
    assert scored.aligned.end_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert scored.base.end_id == tokenizer("```", add_special_tokens=False)["input_ids"][0]
    assert scored.ids[-1] == scored.aligned.end_id


def _open(folder: Path, model_type: str, tokenizer: object, **overrides: object) -> OpenedPair:
    base = save_model(folder / "base", tokenizer, seed=0, model_type=model_type, **overrides)  # type: ignore[arg-type]
    aligned = save_model(folder / "aligned", tokenizer, seed=1, model_type=model_type, **overrides)  # type: ignore[arg-type]
    spec = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    return opened_pair(spec)


def _score(pair: OpenedPair, text: str, context: str) -> tuple[Prepared, ScoredResponse]:
    response = ResponseToScore(turns=QUESTION, parts=one_text(text), source_format="labels")
    prepared = prepare(pair.base.loaded, pair.aligned.loaded, response, ScoreOptions(base_context=context))
    collectors = list(score_rows(pair.base.causal, pair.aligned.causal, prepared, 10))
    return prepared, pack(prepared, collectors[-1].all(), pair.encoders)


def _assert_spans_partition(scored: ScoredResponse, text: str) -> None:
    ends = list(scored.byte_ends)
    assert ends == sorted(ends)
    assert ends[-1] == ends[-2] == len(text.encode())


def _worst_difference(pair: OpenedPair, prepared: Prepared, scored: ScoredResponse, every: int = 1) -> float:
    """Largest difference in nats; asserts ranks and candidates, ties aside."""
    assert scored.rows == len(prepared.ids) + 1
    rows = range(0, scored.rows, every)
    sides = [(pair.base, prepared.base, scored.base), (pair.aligned, prepared.aligned, scored.aligned)]
    worst, plains = 0.0, []
    for opened, side, columns in sides:
        own = [*prepared.ids, side.end_id]
        plain = _plain_at(opened.loaded.model, side.prefix_ids, prepared.ids, own, rows)
        plains.append(plain)
        for row in rows:
            worst = max(worst, abs(float32(columns.logprob)[row] - plain[row].logprob))
            _assert_rank(int32(columns.rank)[row], plain[row])
            worst = max(worst, _top_difference(columns, row, scored.aligned.k, plain[row]))
    for row in rows:
        expected = kl(plains[1][row], plains[0][row])
        worst = max(worst, abs(float32(scored.comparison.kl)[row] - expected) / max(1.0, expected))
    return worst


def _plain_at(
    model: object, prefix: Sequence[int], ids: Sequence[int], own: Sequence[int], rows: range
) -> dict[int, PlainRow]:
    found = {}
    for row in rows:
        (found[row],) = plain_rows(model, [*prefix, *ids[:row]], [], [own[row]])  # type: ignore[arg-type]
    return found


def _assert_rank(rank: int, plain: PlainRow) -> None:
    """The rank, or one that tokens within float noise of the own logit could make of it."""
    near = int(((plain.logprobs - plain.logprob).abs() < NATS).sum()) - 1
    assert abs(rank - plain.rank) <= near


def _top_difference(columns: SideScores, row: int, k: int, plain: PlainRow) -> float:
    ids = int32(columns.top_ids)[row * k : (row + 1) * k]
    logprobs = float32(columns.top_logprobs)[row * k : (row + 1) * k]
    expected = torch.topk(plain.logprobs, k).values.tolist()
    by_id: float = max(abs(lp - float(plain.logprobs[i])) for i, lp in zip(ids, logprobs, strict=True))
    by_place: float = max(abs(lp - e) for lp, e in zip(logprobs, expected, strict=True))
    return max(by_id, by_place)

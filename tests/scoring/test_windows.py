"""Texts longer than a model: the numbers of a plain pass over the context that the rule names, and a flag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.doing import do
from passes import opened_pair
from plain_scoring import kl, plain_rows
from shiftlens.analysis.tokens import shortened
from shiftlens.backends.windows import windows
from shiftlens.engine.protocol import Refused, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.opening.pair import OpenedPair
from tiny_models import byte_level_tokenizer, save_model

NATS = 1e-4
TEXT = "Great question! The sky is blue because air scatters blue light. " * 6
TURNS = (ContextTurn.of("user", "Why is the sky blue?"),)
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4}


@given(length=st.integers(1, 500), most=st.integers(16, 128), lead=st.integers(0, 3))
def test_windows_cover_each_row_once_and_leave_it_more_than_half_a_length(length: int, most: int, lead: int) -> None:
    row = 0
    for window in windows(length, most, lead):
        assert window.first == row
        assert window.lead + window.end - window.start <= most
        if row:
            assert window.lead == lead
            assert window.start >= lead
            assert window.lead + row + 1 - window.start > most // 2
        row = window.end
    assert row == length


@given(length=st.integers(1, 500), more=st.integers(1, 200), most=st.integers(16, 128))
def test_windows_stay_where_they_are_when_the_text_grows(length: int, more: int, most: int) -> None:
    shorter, longer = list(windows(length, most, 1)), list(windows(length + more, most, 1))
    places = [[(w.start, w.first) for w in found] for found in (shorter, longer)]
    assert places[1][: len(places[0])] == places[0]


@pytest.mark.parametrize(
    ("model_type", "limits", "overrides"),
    [
        ("llama", (64, 64), {}),
        ("llama", (64, 96), {}),
        ("llama", (64, 4096), {}),
        ("llama", (4096, 48), {}),
        ("gpt2", (64, 128), GPT2),
        ("mistral", (64, 64), {"sliding_window": 16}),
        ("gemma2", (64, 64), {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}),
    ],
)
def test_a_text_longer_than_a_model_is_scored_in_the_windows_that_the_notes_name(
    tmp_path: Path, model_type: str, limits: tuple[int, int], overrides: dict[str, object]
) -> None:
    pair = opened(tmp_path, model_type, limits, **overrides)
    prepared, scored = score(pair, TEXT)
    assert_plain(pair, prepared, scored, limits)
    for name, limit in (("base", limits[0]), ("aligned", limits[1])):
        first = limit - len(getattr(prepared, name).prefix_ids) + 1
        flags = [name in shortened(scored, row) for row in range(scored.rows)]
        assert flags == [row >= first for row in range(scored.rows)]
        assert any(f"takes {limit} tokens" in note for note in scored.notes) is any(flags)


def test_a_context_that_alone_is_longer_than_the_model_is_cut_too(tmp_path: Path) -> None:
    pair = opened(tmp_path, "llama", (64, 64))
    prepared, scored = score(pair, "Because air scatters blue light.", (ContextTurn.of("user", TEXT),))
    assert len(prepared.base.prefix_ids) > 64
    assert {shortened(scored, row) for row in range(scored.rows)} == {("base", "aligned")}
    assert_plain(pair, prepared, scored, (64, 64))


def test_what_fits_is_not_flagged_and_has_no_note(tmp_path: Path) -> None:
    prepared, scored = score(opened(tmp_path, "llama", (512, 512)), TEXT)
    assert not any(shortened(scored, row) for row in range(scored.rows))
    assert scored.notes == prepared.notes == ()


def test_models_without_a_length_have_no_windows(tmp_path: Path) -> None:
    pair = opened(tmp_path, "mamba", (None, None), hidden_size=32, num_hidden_layers=2)
    assert pair.base.loaded.max_positions is None
    _, scored = score(pair, TEXT)
    assert not any(shortened(scored, row) for row in range(scored.rows))


def test_turns_of_a_conversation_that_fit_keep_their_whole_context_beside_one_that_does_not(tmp_path: Path) -> None:
    pair = opened(tmp_path, "llama", (256, 256))
    first = response("Because air scatters blue light.")
    later = response(TEXT, (*TURNS, ContextTurn.of("assistant", first.text), *TURNS))
    together = scored_by_worker(pair, [first, later])
    for each, found in zip((first, later), together, strict=True):
        prepared, alone = score(pair, each.text, each.turns)
        assert_plain(pair, prepared, found, (256, 256))
        assert full_context(found) == full_context(alone)
    assert full_context(together[0]) == [None, None]
    assert full_context(together[1]) != [None, None]


def response(text: str, turns: tuple[ContextTurn, ...] = TURNS) -> ResponseToScore:
    return ResponseToScore(turns=turns, parts=one_text(text), source_format="labels")


def opened(folder: Path, model_type: str, limits: Sequence[int | None], **overrides: object) -> OpenedPair:
    names = []
    for seed, (name, limit) in enumerate(zip(("base", "aligned"), limits, strict=True)):
        length = {} if limit is None else {"max_position_embeddings": limit}
        names.append(
            save_model(folder / name, byte_level_tokenizer(), seed=seed, model_type=model_type, **overrides, **length)
        )
    spec = PairSpec(base=str(names[0]), aligned=str(names[1]), device="cpu")
    return opened_pair(spec)


def score(pair: OpenedPair, text: str, turns: tuple[ContextTurn, ...] = TURNS) -> tuple[Prepared, ScoredResponse]:
    prepared = pair.prepare(response(text, turns), ScoreOptions())
    (scored,) = scored_by_worker(pair, [response(text, turns)])
    return prepared, scored


def scored_by_worker(pair: OpenedPair, responses: Sequence[ResponseToScore]) -> list[ScoredResponse]:
    replies: list[Reply] = []
    spec = PairSpec(base=pair.base.loaded.name, aligned=pair.aligned.loaded.name, device="cpu")
    do(
        Worker(replies.append, lambda _job: False),
        Score(job=1, pair=spec, options=ScoreOptions(), responses=tuple(responses)),
    )
    assert not [reply for reply in replies if isinstance(reply, Refused)]
    whole = {r.index: r.scored for r in replies if isinstance(r, Scored) and not r.partial}
    return [whole[index] for index in range(len(responses))]


def full_context(scored: ScoredResponse) -> list[int | None]:
    """How many first rows each side scored with the whole context."""
    return [side.full_context_rows for side in (scored.base, scored.aligned)]


def assert_plain(
    pair: OpenedPair, prepared: Prepared, scored: ScoredResponse, limits: Sequence[int], every: int = 5
) -> None:
    assert scored.rows == len(prepared.ids) + 1
    for row in range(0, scored.rows, every):
        plains = []
        for opened_model, side, columns, limit in (
            (pair.base, prepared.base, scored.base, limits[0]),
            (pair.aligned, prepared.aligned, scored.aligned, limits[1]),
        ):
            own = [*prepared.ids, side.end_id][row]
            (plain,) = plain_rows(opened_model.loaded.model, by_the_rule(side, prepared.ids, row, limit), [], [own])
            near = int(((plain.logprobs - plain.logprob).abs() < NATS).sum()) - 1
            assert abs(float32(columns.logprob)[row] - plain.logprob) < NATS
            assert abs(int32(columns.rank)[row] - plain.rank) <= near
            plains.append(plain)
        expected = kl(plains[1], plains[0])
        assert float32(scored.comparison.kl)[row] == pytest.approx(expected, abs=NATS, rel=NATS)


def by_the_rule(side: PreparedSide, ids: Sequence[int], row: int, most: int) -> list[int]:
    """The ids that a row is to be scored after, by the words of the documentation. These tokenizers have one BOS."""
    before = [*side.prefix_ids, *ids[:row]]
    if len(before) <= most:
        return before
    half = most // 2
    beyond = len(before) - 1 - most
    window_end = most + (beyond // half + 1) * half
    bos = 1 if before[0] == side.prefix_ids[0] == 0 else 0
    return [*before[:bos], *before[window_end - most + bos :]]

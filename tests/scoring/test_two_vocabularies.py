"""Pairs of two vocabularies: each model reads its own tokens of the text, and the rows lie side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import base_of
from engine.doing import do
from passes import opened_pair
from plain_scoring import PlainRow, plain_rows
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.tokens import tokens
from shiftlens.engine.protocol import Refused, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.columns import Above, Rank
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.text.groups import common_groups
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Response, Role, Turn
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

NATS = 1e-4
TEXT = "Great question! The sky is blue \u2028 because 🙂 air\r\nscatters 漢字 light. I hope this helps.  "
TURNS = (ContextTurn.of("user", "Why is the sky blue?"),)
cuts = st.lists(st.integers(0, 12), max_size=12).map(lambda ends: [*sorted(ends), 12])


@given(these=cuts, others=cuts)
def test_groups_are_the_smallest_that_end_at_a_common_byte(these: list[int], others: list[int]) -> None:
    groups = common_groups(these, others)
    assert [g.first for g in groups] == [0, *(g.end for g in groups[:-1])]
    assert [g.other_first for g in groups] == [0, *(g.other_end for g in groups[:-1])]
    assert (groups[-1].end, groups[-1].other_end) == (len(these), len(others))
    for group in groups:
        assert these[group.end - 1] == others[group.other_end - 1]
        assert group.first < group.end
        assert group.other_first < group.other_end
        inside = set(these[group.first : group.end - 1]) & set(others[group.other_first : group.other_end - 1])
        # A byte where both end inside a group can only be its very end, with tokens of no bytes behind.
        assert inside <= {these[group.end - 1]}


PAIRS = {
    "other merges": (byte_level_tokenizer(320), byte_level_tokenizer(290)),
    "fewer merges": (byte_level_tokenizer(262), byte_level_tokenizer(330)),
    "sentence piece base": (sentence_piece_tokenizer(), byte_level_tokenizer()),
    "sentence piece aligned": (byte_level_tokenizer(), sentence_piece_tokenizer()),
}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    return opened(tmp_path_factory.mktemp("pair"), request.param)


@pytest.mark.parametrize("context", ["aligntds", "chat", "few-shot"])
def test_every_number_is_that_of_a_plain_loop_over_each_models_own_tokens(pair: OpenedPair, context: str) -> None:
    prepared, analysis = analysed(pair, TEXT, context)
    own = prepared.base_encoding
    assert own is not None
    base_encoder, aligned_encoder = pair.base.loaded.encoder, pair.aligned.loaded.encoder
    base = plain_rows(pair.base.loaded.model, prepared.base.prefix_ids, own.ids, [*own.ids, prepared.base.end_id])
    aligned = plain_rows(
        pair.aligned.loaded.model, prepared.aligned.prefix_ids, prepared.ids, [*prepared.ids, prepared.aligned.end_id]
    )
    rows = list(tokens(analysis))
    assert len(rows) == len(aligned)
    starts, own_starts = (0, *prepared.byte_ends), (0, *own.byte_ends)
    seen = {"one": 0, "group": 0}
    for row, plain in zip(rows, aligned, strict=True):
        assert_own(row.aligned.rank, row.aligned.logprob, plain)
        if row.is_end:
            first, count = len(own.ids), 1
        else:
            start, end = starts[row.index], prepared.byte_ends[row.index]
            if row.realigned is not None:
                start, end = starts[row.realigned.first], prepared.byte_ends[row.realigned.end - 1]
            covering = [i for i in range(len(own.ids)) if start <= own_starts[i] and own.byte_ends[i] <= end]
            first, count = covering[0], len(covering)
            assert (own_starts[first], own.byte_ends[covering[-1]]) == (start, end)
        mine = base[first : first + count]
        theirs = base_of(row)
        if row.realigned is None:
            assert count == 1
            assert_own(theirs.rank, theirs.logprob, mine[0])
            seen["one"] += 1
        else:
            seen["group"] += 1
            assert row.realigned.base_tokens == count
            assert row.realigned.base_logprob == pytest.approx(sum(p.logprob for p in mine), abs=NATS * count)
            assert theirs.logprob != theirs.logprob
            assert theirs.id is None
            assert isinstance(theirs.rank, int)
            assert abs(theirs.rank - max(p.rank for p in mine)) <= max(near(p) for p in mine)
        if row.realigned is None or row.realigned.first == row.index:
            best = [base_encoder.pieces[int(i)] for i in mine[0].logprobs.argsort(descending=True)[:10]]
            assert sum(a.piece == b for a, b in zip(theirs.top, best, strict=True)) >= 8
            for candidate, prob in zip(theirs.top, mine[0].logprobs.exp().sort(descending=True).values, strict=False):
                assert candidate.prob == pytest.approx(float(prob), rel=1e-3)
            shared = {c.piece for c in theirs.top} & {c.piece for c in row.aligned.top}
            either = {c.piece for c in theirs.top} | {c.piece for c in row.aligned.top}
            if len({c.piece for c in theirs.top}) == len(theirs.top) == len({c.piece for c in row.aligned.top}):
                assert row.jaccard == pytest.approx(len(shared) / len(either))
            top = row.aligned.top[0]
            where = [i for i in range(pair.base.loaded.vocabulary) if base_encoder.pieces[i] == top.piece]
            rank_of_top = row.base_rank_of_aligned_top
            assert not isinstance(rank_of_top, Above)
            if rank_of_top is not None and top.id not in aligned_encoder.tokenizer.added_tokens_decoder:
                ranks = {int((mine[0].logprobs > mine[0].logprobs[i]).sum()) + 1 for i in where}
                assert any(abs(rank_of_top - rank) <= 2 for rank in ranks)
        else:
            assert theirs.top == ()
            assert row.base_rank_of_aligned_top is None
        assert row.kl != row.kl
    assert min(seen.values()) > 3
    assert analysis.summary.realigned == seen["group"]
    assert analysis.summary.flagged >= seen["group"]


def test_the_notes_say_that_there_are_two_vocabularies_and_what_follows(pair: OpenedPair) -> None:
    _, analysis = analysed(pair, TEXT, "aligntds")
    assert any("each model reads its own tokens" in note for note in analysis.scored.notes)


def test_each_side_of_two_vocabularies_is_cut_where_its_own_tokens_outgrow_it(tmp_path: Path) -> None:
    pair = opened(tmp_path, "sentence piece base", max_position_embeddings=96)
    prepared, analysis = analysed(pair, TEXT, "aligntds")
    own = prepared.base_encoding
    assert own is not None
    whole = 96 - len(prepared.base.prefix_ids) + 1
    assert 0 < whole < len(own.ids)
    seen = 0
    for row in tokens(analysis):
        end = prepared.byte_ends[(row.realigned.end - 1) if row.realigned else row.index] if not row.is_end else None
        last = len(own.ids) if end is None else max(i for i in range(len(own.ids)) if own.byte_ends[i] <= end)
        assert ("base" in row.shortened) is (last >= whole)
        if row.realigned is None and last < whole:
            (plain,) = plain_rows(
                pair.base.loaded.model,
                [*prepared.base.prefix_ids, *own.ids[:last]],
                [],
                [[*own.ids, prepared.base.end_id][last]],
            )
            assert_own(base_of(row).rank, base_of(row).logprob, plain)
            seen += 1
    assert seen > 3


def test_a_pair_of_one_vocabulary_has_no_tokens_of_its_own(tiny_pair: PairSpec) -> None:
    pair = opened_pair(tiny_pair)
    prepared, analysis = analysed(pair, TEXT, "aligntds")
    assert prepared.base_encoding is None
    assert isinstance(analysis.scored, ScoredResponse)
    assert analysis.scored.comparison.alignment is None
    assert analysis.summary.realigned == 0


def test_the_reference_numbers_are_refused_for_two_vocabularies(pair: OpenedPair) -> None:
    replies = work(
        pair,
        ResponseToScore(turns=TURNS, parts=one_text(TEXT), source_format="labels"),
        ScoreOptions(compat="aligntds"),
    )
    (refused,) = [reply for reply in replies if isinstance(reply, Refused)]
    assert "compare ids" in refused.problem


def opened(folder: Path, name: str, **overrides: Any) -> OpenedPair:
    base, aligned = (
        save_model(folder / side, tokenizer, seed=seed, **overrides)
        for seed, (side, tokenizer) in enumerate(zip(("base", "aligned"), PAIRS[name], strict=True))
    )
    spec = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    return opened_pair(spec)


def work(pair: OpenedPair, response: ResponseToScore, options: ScoreOptions) -> list[Reply]:
    replies: list[Reply] = []
    spec = PairSpec(base=pair.base.loaded.name, aligned=pair.aligned.loaded.name, device="cpu")
    do(Worker(replies.append, lambda _job: False), Score(job=1, pair=spec, options=options, responses=(response,)))
    return replies


def analysed(pair: OpenedPair, text: str, context: str) -> tuple[Prepared, ResponseAnalysis]:
    options = ScoreOptions(base_context=context)
    response = ResponseToScore(turns=TURNS, parts=one_text(text), source_format="labels")
    (scored,) = [reply.scored for reply in work(pair, response, options) if isinstance(reply, Scored)]
    asked = Turn.of(Role.USER, TURNS[0].text, SourceMap.verbatim(0, len(TURNS[0].text)))
    answer = Response(0, (asked,), Turn.of(Role.ASSISTANT, text, SourceMap.verbatim(100, len(text))))
    return pair.prepare(response, options), build(answer, scored, ClassifyOptions())


def assert_own(rank: Rank, logprob: float, plain: PlainRow) -> None:
    assert isinstance(rank, int)
    assert abs(logprob - plain.logprob) < NATS
    assert abs(rank - plain.rank) <= near(plain)


def near(plain: PlainRow) -> int:
    return int(((plain.logprobs - plain.logprob).abs() < NATS).sum()) - 1

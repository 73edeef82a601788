"""Models that are elsewhere: a pair of one and a local model, a pair of two, and what is not had of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from passes import NATS
from scoring.unigram import NAME, Unigram, Unigrams, logprobs
from shiftlens.analysis.classify import build
from shiftlens.backends.protocol import SideInput, SideNumbers, Waiting
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.columns import Above, float32, int32, rank_of
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.alone import local
from shiftlens.scoring.events import Opened, Progress, Refused, Scored
from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.head import side_numbers
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.session import Session
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

K = 5
VOCABULARY = len(byte_level_tokenizer())
TEXT = "Great question! The sky is blue because 🙂 air scatters blue light. " * 4


def response(text: str = TEXT) -> ResponseToScore:
    return ResponseToScore(turns=(ContextTurn.of("user", "Why?"),), parts=one_text(text), source_format="labels")


def scored(session: Session, spec: PairSpec, *texts: str) -> list[ScoredResponse]:
    found = list(session.score(spec, ScoreOptions(top_k=10), [response(text) for text in texts or (TEXT,)]))
    assert isinstance(found[0], Opened)
    assert [event.fraction for event in found if isinstance(event, Progress)][-1] == 1.0
    assert not [event for event in found if isinstance(event, Refused)]
    done = {event.index: event.scored for event in found if isinstance(event, Scored)}
    return [done[index] for index in sorted(done)]


def test_a_local_model_beside_one_elsewhere_has_the_numbers_that_it_has_in_a_pair(tiny_pair: PairSpec) -> None:
    session = Session(kinds=[Unigrams(VOCABULARY)])
    texts = (TEXT, "No.", "Because.", TEXT * 6)
    for mixed, side in (
        (replace(tiny_pair, base=NAME + tiny_pair.base), "aligned"),
        (replace(tiny_pair, aligned=NAME + tiny_pair.aligned), "base"),
    ):
        for found, pair in zip(scored(session, mixed, *texts), scored(session, tiny_pair, *texts), strict=True):
            ours, theirs = getattr(found, side), getattr(pair, side)
            assert ours.ids == theirs.ids
            assert ours.rank == theirs.rank
            assert ours.top_ids == theirs.top_ids
            for ours_column, theirs_column in (
                (ours.logprob, theirs.logprob),
                (ours.entropy, theirs.entropy),
                (ours.top_logprobs, theirs.top_logprobs),
            ):
                torch.testing.assert_close(
                    torch.tensor(list(float32(ours_column))),
                    torch.tensor(list(float32(theirs_column))),
                    atol=NATS,
                    rtol=0,
                )


def test_what_the_model_elsewhere_gives_is_told_as_it_is_and_nothing_beside_it(tiny_pair: PairSpec) -> None:
    kind = Unigrams(VOCABULARY)
    mixed = replace(tiny_pair, base=NAME + tiny_pair.base)
    (found,) = scored(Session(kinds=[kind]), mixed)
    assert [int32(found.base.ids)[row] for row in range(found.rows - 1)] == list(found.ids)[:-1]
    every = logprobs(VOCABULARY)
    assert list(float32(found.base.logprob)) == pytest.approx([every[i] for i in int32(found.base.ids)], abs=1e-5)
    ranks = [rank_of(value) for value in int32(found.base.rank)]
    assert ranks == [i + 1 if i < K else Above(K) for i in int32(found.base.ids)]
    assert found.base.entropy == b""
    assert found.comparison.kl == b""
    # Ten candidates were wanted, and it gives five.
    assert list(int32(found.base.top_ids))[:10] == [0, 1, 2, 3, 4, -1, -1, -1, -1, -1]
    tops = [int32(found.aligned.top_ids)[row * found.aligned.k] for row in range(found.rows)]
    own = int32(found.base.ids)
    of_top = [rank_of(value) for value in int32(found.comparison.base_rank_of_aligned_top)]
    assert of_top == [top + 1 if top < K else Above(K) for top in tops]
    assert len(own) == len(tops)
    (asked,) = kind.opened[mixed.base].asked
    assert asked.prefix_ids == found.base.prefix_ids
    assert any("so that there is no KL" in note for note in found.notes)
    assert any("gives ranks only of tokens among its candidates (5 at the most)" in note for note in found.notes)
    assert any("gives no entropy" in note for note in found.notes)


def test_two_models_elsewhere_need_no_model_here(tiny_pair: PairSpec) -> None:
    session = Session(kinds=[Unigrams(VOCABULARY, entropy=True)])
    spec = replace(tiny_pair, base=NAME + tiny_pair.base, aligned=NAME + tiny_pair.aligned)
    (found,) = scored(session, spec)
    assert session.loads == 0
    assert not session.outlook(spec).loads
    assert found.base.logprob[:-4] == found.aligned.logprob[:-4]
    assert len(found.aligned.entropy) == 4 * found.rows
    # Each has id 0 as its most likely token.
    assert set(int32(found.comparison.base_rank_of_aligned_top)) == {1}


def test_a_model_elsewhere_of_another_vocabulary_is_aligned_by_bytes(tiny_pair: PairSpec, tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", sentence_piece_tokenizer(), seed=3)
    session = Session(kinds=[Unigrams(len(sentence_piece_tokenizer()))])
    local = PairSpec(base=str(other), aligned=tiny_pair.aligned, device="cpu")
    (pair,) = scored(session, local)
    (found,) = scored(session, replace(local, base=NAME + str(other)))
    assert found.comparison.alignment == pair.comparison.alignment
    assert found.base.ids == pair.base.ids
    assert found.aligned.rank == pair.aligned.rank
    assert any("There is no KL" in note for note in found.notes)


def test_an_analysis_can_be_made_of_it(tiny_pair: PairSpec) -> None:
    from shiftlens.options.pair import ClassifyOptions
    from shiftlens.text.source_map import SourceMap
    from shiftlens.transcripts.model import Response, Role, Turn

    session = Session(kinds=[Unigrams(VOCABULARY)])
    (found,) = scored(session, replace(tiny_pair, base=NAME + tiny_pair.base))
    question = Turn.of(Role.USER, "Why?", SourceMap.verbatim(0, 4))
    answer = Turn.of(Role.ASSISTANT, TEXT, SourceMap.verbatim(10, len(TEXT)))
    assert build(Response(0, (question,), answer), found, ClassifyOptions()) is not None


def test_no_number_of_a_model_elsewhere_is_refused_as_that_of_a_local_one(tiny_pair: PairSpec) -> None:
    (bad,) = byte_level_tokenizer()("%", add_special_tokens=False)["input_ids"]
    session = Session(kinds=[Unigrams(VOCABULARY, broken_id=bad)])
    spec = replace(tiny_pair, base=NAME + tiny_pair.base)
    found = list(session.score(spec, ScoreOptions(), [response("The quick % fox"), response("Fine.")]))
    (refused,) = [event for event in found if isinstance(event, Refused)]
    assert refused.index == 0
    assert f"The logits of {spec.base} are NaN" in refused.problem
    assert [event.index for event in found if isinstance(event, Scored)] == [1]


def test_a_local_model_beside_one_elsewhere_is_the_only_one_loaded(tiny_pair: PairSpec) -> None:
    session = Session(kinds=[Unigrams(VOCABULARY)])
    with session.open_sides(replace(tiny_pair, base=NAME + tiny_pair.base)) as pair:
        side = pair.aligned
        ids = side.tokens.encoder.encode(TEXT).ids
        (end,) = side.tokens.end_ids()[:1]
        asked = SideInput(ids[:4], ids[4:], end)
        (event,) = side.backend.score([asked], K, lambda: None)
    assert not isinstance(event, Waiting)
    index, numbers = event
    assert isinstance(numbers, SideNumbers)
    assert (index, len(numbers.logprob)) == (0, 4 * asked.rows)
    assert numbers.k == K
    assert [model.name for model in session.models()] == [tiny_pair.aligned]


def test_a_local_model_computes_in_its_own_way_whatever_other_jobs_did_between_two_steps(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, int]] = []

    def noted(*arguments: Any, **named: Any) -> Any:
        found.append((products.in_use(), torch.get_num_threads()))
        return side_numbers(*arguments, **named)

    monkeypatch.setattr(local, "side_numbers", noted)
    monkeypatch.setattr(products, "_chosen", None)
    threads = torch.get_num_threads()
    session = Session(kinds=[Unigrams(VOCABULARY)])
    spec = replace(tiny_pair, base=NAME + tiny_pair.base, matrix_library="torch")
    run = Run(ScoreOptions(), [response(TEXT * times) for times in (1, 3, 6)])
    try:
        with session.open(tiny_pair) as pair:
            own = pair.threads
        for _ in session.steps(spec, run):
            monkeypatch.setattr(products, "_chosen", "onednn")
            torch.set_num_threads(own + 1)
    finally:
        torch.set_num_threads(threads)
    assert len(found) > 1
    assert set(found) == {("torch", own)}


def test_a_local_model_beside_one_elsewhere_is_read_anew_when_its_files_have_changed(
    tiny_pair: PairSpec, tmp_path: Path
) -> None:
    tokenizer = byte_level_tokenizer()
    folder = str(save_model(tmp_path, tokenizer, seed=3))
    spec = replace(tiny_pair, base=NAME + folder, aligned=folder)
    session = Session(kinds=[Unigrams(VOCABULARY)])
    (before,) = scored(session, spec)
    save_model(tmp_path, tokenizer, seed=4)
    scored(session, tiny_pair)
    (after,) = scored(session, spec)
    assert after.aligned.model.fingerprint != before.aligned.model.fingerprint
    assert after.aligned.logprob != before.aligned.logprob


def test_what_it_would_take_is_told_without_opening_a_model_elsewhere_twice(tiny_pair: PairSpec) -> None:
    opened: list[PairSpec] = []

    class Kind(Unigrams):
        def open(self, name: str, spec: PairSpec) -> Unigram | None:
            if name.startswith(NAME):
                opened.append(spec)
            return super().open(name, spec)

    session = Session(kinds=[Kind(VOCABULARY)])
    spec = replace(tiny_pair, base=NAME + tiny_pair.base, allow_download=True)
    assert session.outlook(spec).loads
    scored(session, spec)
    assert opened == [spec]


def test_a_stop_is_obeyed(tiny_pair: PairSpec) -> None:
    class Stopped(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise Stopped

    session = Session(kinds=[Unigrams(VOCABULARY)])
    spec = replace(tiny_pair, base=NAME + tiny_pair.base)
    with pytest.raises(Stopped):
        list(session.score(spec, ScoreOptions(), [response(), response("No."), response("Air.")], check=check))
    assert not session.pinned()

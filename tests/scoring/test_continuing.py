"""Continuations against `generate` of transformers, and what they leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from passes import ids_fed, score_rows
from plain_scoring import plain_rows
from shiftlens.analysis.classify import ranks_of_response
from shiftlens.errors import ScoringError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.columns import int32
from shiftlens.scores.continuations import Begun, Sampling, Voice, WrittenToken, text_of, voices
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring import events
from shiftlens.scoring.continuing.place import place_in
from shiftlens.scoring.continuing.ranks import ranked
from shiftlens.scoring.continuing.run import Continuing, Written
from shiftlens.scoring.opening.opened import OpenedModel
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.session import Session
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

TOKENS = 24
BASE, ALIGNED = Voice(-1.0), Voice(0.0)
QUESTION = (ContextTurn.of("user", "Why is the sky blue?"),)
RESPONSE = ResponseToScore(
    turns=QUESTION, parts=one_text("Great question! Air scatters blue light."), source_format="labels"
)
UNANSWERED = ResponseToScore(turns=QUESTION, parts=(), source_format="labels")
BUNDLED = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")


def asked(position: int, *wanted: Voice, options: ScoreOptions | None = None, **sampling: Any) -> Continuing:
    return Continuing(RESPONSE, options or ScoreOptions(), position, wanted, Sampling(**sampling))


def written(session: Session, spec: PairSpec, ask: Continuing) -> tuple[Begun, list[list[WrittenToken]]]:
    """Where the continuations begin, and the tokens of each."""
    begun: list[Begun] = []
    found: list[list[WrittenToken]] = [[] for _ in ask.voices]
    for step in session.continuations(spec, ask):
        for event in step:
            if isinstance(event, Begun):
                begun.append(event)
            elif isinstance(event, Written):
                found[event.voice].append(event.token)
    return begun[0], found


def ids_of(tokens: Sequence[WrittenToken]) -> list[int]:
    return [token.id for token in tokens]


def generated(opened: OpenedModel, before: Sequence[int], ends: Sequence[int], count: int) -> list[int]:
    """What transformers writes, greedy."""
    model: Any = opened.loaded.model
    ids = torch.tensor([before])
    with torch.inference_mode():
        found = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=list(ends),
            pad_token_id=0,
        )
    return [int(i) for i in found[0, len(before) :]]


@pytest.mark.parametrize("position", [0, 3, 8])
@pytest.mark.parametrize("context", ["aligntds", "chat", "raw", "few-shot"])
@pytest.mark.parametrize("bundled", [False, True])
def test_alpha_zero_and_minus_one_are_greedy_generate_of_each_model(
    tiny_pair: PairSpec, context: str, position: int, bundled: bool
) -> None:
    session, spec, options = Session(), BUNDLED if bundled else tiny_pair, ScoreOptions(base_context=context)
    _, (base, aligned) = written(session, spec, asked(position, BASE, ALIGNED, options=options, max_tokens=TOKENS))
    with session.open(spec) as pair:
        place = place_in(pair, RESPONSE, options, position)
        for model, side, found in ((pair.base, place.base, base), (pair.aligned, place.aligned, aligned)):
            expected = generated(model, side.before, sorted(side.end_ids), TOKENS)
            ids = ids_of(found)
            # A fence that closes the context ends a continuation, which `generate` knows nothing of.
            assert ids == (expected[: len(ids)] if found[-1].end == "close" else expected)
            assert [token.end for token in found[:-1]] == [""] * (len(found) - 1)
            assert found[-1].end


@pytest.mark.parametrize(
    ("model_type", "overrides"),
    [
        ("mistral", {"sliding_window": 16}),
        ("gemma2", {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4}),
        ("mamba", {"hidden_size": 32, "num_hidden_layers": 2}),
    ],
)
def test_models_whose_caches_are_of_another_kind_go_on_alike(
    tmp_path: Path, model_type: str, overrides: dict[str, object]
) -> None:
    tokenizer = byte_level_tokenizer()
    names = [
        str(save_model(tmp_path / name, tokenizer, seed=seed, model_type=model_type, **overrides))
        for seed, name in enumerate(("base", "aligned"))
    ]
    session, spec = Session(), PairSpec(base=names[0], aligned=names[1], device="cpu")
    _, found = written(session, spec, asked(2, BASE, BASE, ALIGNED, max_tokens=TOKENS))
    assert found[0] == found[1]
    with session.open(spec) as pair:
        place = place_in(pair, RESPONSE, ScoreOptions(), 2)
        ends = sorted(place.aligned.end_ids)
        assert ids_of(found[2]) == generated(pair.aligned, place.aligned.before, ends, TOKENS)


@pytest.mark.parametrize("alpha", [-0.5, 0.7, 2.0])
def test_a_mixture_takes_the_most_likely_token_of_the_mixed_logits_at_each_step(
    tiny_pair: PairSpec, alpha: float
) -> None:
    session = Session()
    _, (found,) = written(session, tiny_pair, asked(3, Voice(alpha), max_tokens=8))
    with session.open(tiny_pair) as pair, torch.inference_mode():
        place = place_in(pair, RESPONSE, ScoreOptions(), 3)
        own = list[int]()
        for token in found:
            base, aligned = (
                model.loaded.model(torch.tensor([[*side.before, *own]])).logits[0, -1]
                for model, side in ((pair.base, place.base), (pair.aligned, place.aligned))
            )
            both = aligned + alpha * (aligned - base)
            assert token.id == int(both.argmax())
            assert token.logprob == pytest.approx(float(torch.log_softmax(both.double(), 0)[token.id]), abs=1e-3)
            own.append(token.id)


def scored_response(session: Session, spec: PairSpec) -> ScoredResponse:
    (found,) = [e for e in session.score(spec, ScoreOptions(), (RESPONSE,)) if isinstance(e, events.Scored)]
    return found.scored


def test_at_every_position_a_continuation_begins_with_the_top_candidate_of_its_model(tiny_pair: PairSpec) -> None:
    session = Session()
    scored = scored_response(session, tiny_pair)
    ranks = ranks_of_response(scored)
    assert max(ranks) > 3, "a position is shifted"
    for position in range(scored.rows):
        begun, (base, aligned) = written(session, tiny_pair, asked(position, BASE, ALIGNED, max_tokens=1))
        assert (begun.position, begun.positions) == (position, scored.rows)
        for side, tokens in ((scored.base, base), (scored.aligned, aligned)):
            assert ids_of(tokens) == [int32(side.top_ids)[position * side.k]]


def test_what_the_response_says_is_told_beside(tiny_pair: PairSpec) -> None:
    begun, _ = written(Session(), tiny_pair, asked(2, BASE, max_tokens=200))
    text = RESPONSE.text
    assert text_of(begun.before) + text_of(begun.said) == text
    assert text_of(begun.said) == text.encode()[begun.byte :].decode()


def test_samples_are_the_same_for_the_same_seed_and_state_their_end(tiny_pair: PairSpec) -> None:
    session, wanted = Session(), voices([-1.0, 0.0], samples=3, seed=5)
    assert [voice.seed for voice in wanted] == [None, 5, 6, 7] * 2
    first, again = (written(session, tiny_pair, asked(1, *wanted, max_tokens=12, temperature=1.5))[1] for _ in range(2))
    assert first == again
    assert len({tuple(ids_of(tokens)) for tokens in first[:4]}) == 4
    alone = written(Session(), tiny_pair, asked(1, wanted[6], max_tokens=12, temperature=1.5))[1]
    assert alone == [first[6]]


@pytest.mark.parametrize("alpha", [-1.0, 0.0])
def test_a_voice_goes_on_behind_the_token_that_it_is_given(tiny_pair: PairSpec, alpha: float) -> None:
    session, given = Session(), 77
    _, (found,) = written(session, tiny_pair, asked(3, Voice(alpha, None, given), max_tokens=TOKENS))
    with session.open(tiny_pair) as pair:
        place = place_in(pair, RESPONSE, ScoreOptions(), 3)
        model, side = (pair.base, place.base) if alpha else (pair.aligned, place.aligned)
        expected = generated(model, (*side.before, given), sorted(side.end_ids), TOKENS - 1)
        assert ids_of(found) == [given, *expected]
        (row,) = plain_rows(model.loaded.model, side.before, [given], [given])
        assert found[0].logprob == pytest.approx(row.logprob, abs=1e-4)
    assert [token.is_given for token in found] == [True] + [False] * (len(found) - 1)


def test_a_voice_that_is_given_the_end_of_the_text_ends_with_it(tiny_pair: PairSpec) -> None:
    session = Session()
    with session.open(tiny_pair) as pair:
        end = min(place_in(pair, RESPONSE, ScoreOptions(), 3).aligned.end_ids)
    _, (found,) = written(session, tiny_pair, asked(3, Voice(0.0, 1, end)))
    assert [(token.id, token.end) for token in found] == [(end, "end")]


def test_in_a_pair_of_two_vocabularies_a_voice_is_given_text(two_vocabularies: PairSpec) -> None:
    wanted = [Voice(alpha, None, "ing there") for alpha in (-1.0, 0.0)]
    _, found = written(Session(), two_vocabularies, asked(2, *wanted, max_tokens=20))
    for tokens in found:
        given = [token for token in tokens if token.is_given]
        assert text_of(token.piece for token in given) == "ing there"
        assert tokens[: len(given)] == given


def test_what_is_kept_for_edits_is_gone_on_from_and_stays_as_it_is(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    run = Run(ScoreOptions(), (RESPONSE,))
    _ = [*session.steps(tiny_pair, run)]
    kept = session.kv_bytes
    assert kept > 0
    fed = ids_fed(monkeypatch)
    ask = asked(6, BASE, ALIGNED, max_tokens=4)
    found = written(session, tiny_pair, ask)
    assert max(fed) == 1, "the context is not fed again"
    assert session.kv_bytes == kept
    fed.clear()
    _ = [*session.steps(tiny_pair, run)]
    assert fed == [], "the response is still known"
    alone = written(Session(), tiny_pair, ask)
    assert found[0] == alone[0]
    assert [ids_of(tokens) for tokens in found[1]] == [ids_of(tokens) for tokens in alone[1]]


def test_an_answer_that_is_not_there_yet_begins_behind_the_generation_prompt(tiny_pair: PairSpec) -> None:
    session = Session()
    ask = Continuing(UNANSWERED, ScoreOptions(), 0, (ALIGNED, BASE), Sampling(max_tokens=TOKENS))
    begun, (aligned, _) = written(session, tiny_pair, ask)
    assert begun.said == ()
    with session.open(tiny_pair) as pair:
        tokenizer: Any = pair.aligned.loaded.encoder.tokenizer
        turns = [{"role": "user", "content": "Why is the sky blue?"}]
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert ids_of(aligned) == generated(pair.aligned, before, [tokenizer.eos_token_id], TOKENS)


def test_a_model_that_takes_no_more_ends_a_continuation_with_that_reason(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    names = [
        str(save_model(tmp_path / name, tokenizer, seed=seed, max_position_embeddings=90))
        for seed, name in enumerate(("base", "aligned"))
    ]
    session, spec = Session(), PairSpec(base=names[0], aligned=names[1], device="cpu")
    _, every = written(session, spec, asked(1, *voices([0.0], samples=6), max_tokens=200))
    with session.open(spec) as pair:
        before = place_in(pair, RESPONSE, ScoreOptions(), 1).aligned.before
    cut = [tokens for tokens in every if tokens[-1].end == "room"]
    assert cut
    assert {len(before) + len(tokens) for tokens in cut} == {90 + 1}
    assert {tokens[-1].end for tokens in every} <= {"room", "end"}


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (asked(99, BASE), "has no position 99"),
        (asked(0), "at least one"),
        (asked(0, Voice(float("nan"))), "finite alpha"),
        (asked(0, Voice(0.0, -1)), "seeds"),
        (asked(0, Voice(0.0, None, 10**6)), "no token with the id 1000000"),
        (asked(0, Voice(0.0, None, "")), "some text"),
        (asked(0, BASE, temperature=0.0), "temperature"),
        (asked(0, BASE, top_p=0.0), "top_p"),
        (asked(0, BASE, max_tokens=0), "tokens"),
    ],
)
def test_what_can_not_be_done_is_refused_in_words(tiny_pair: PairSpec, ask: Continuing, what: str) -> None:
    with pytest.raises(ScoringError, match=what):
        written(Session(), tiny_pair, ask)


@pytest.fixture(scope="module")
def two_vocabularies(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    folder = tmp_path_factory.mktemp("two")
    base = save_model(folder / "base", sentence_piece_tokenizer(), seed=0)
    aligned = save_model(folder / "aligned", byte_level_tokenizer(), seed=1)
    return PairSpec(base=str(base), aligned=str(aligned), device="cpu")


def test_a_pair_of_two_vocabularies_has_each_model_alone_and_no_mixture(two_vocabularies: PairSpec) -> None:
    session = Session()
    begun, (base, aligned) = written(session, two_vocabularies, asked(2, BASE, ALIGNED, max_tokens=TOKENS))
    with session.open(two_vocabularies) as pair:
        place = place_in(pair, RESPONSE, ScoreOptions(), 2)
        assert begun.position == place.position
        for model, side, found in ((pair.base, place.base, base), (pair.aligned, place.aligned, aligned)):
            ids = ids_of(found)
            assert ids == generated(model, side.before, sorted(side.end_ids), TOKENS)[: len(ids)]
    with pytest.raises(ScoringError, match="two vocabularies"):
        written(session, two_vocabularies, asked(2, Voice(0.5)))


@pytest.mark.parametrize("text", [" question", "Sure, ", " <|im_end|>", "🙂", " I hope this helps. " * 5])
@pytest.mark.parametrize("position", [0, 1, 5])
def test_a_rank_that_is_asked_for_is_that_of_the_plain_loop(tiny_pair: PairSpec, text: str, position: int) -> None:
    with Session().open(tiny_pair) as pair:
        found = ranked(pair, RESPONSE, ScoreOptions(), position, text)
        place = place_in(pair, RESPONSE, ScoreOptions(), position)
        for model, side, tokens in ((pair.base, place.base, found.base), (pair.aligned, place.aligned, found.aligned)):
            assert text_of(token.piece for token in tokens) == text
            ids = [token.id for token in tokens]
            plain = plain_rows(model.loaded.model, side.before, ids, ids)
            assert [token.rank for token in tokens] == [row.rank for row in plain]
            for token, row in zip(tokens, plain, strict=True):
                assert token.logprob == pytest.approx(row.logprob, abs=1e-4)


def test_asking_for_what_the_response_says_gives_its_own_numbers(tiny_pair: PairSpec) -> None:
    session = Session()
    scored = scored_response(session, tiny_pair)
    with session.open(tiny_pair) as pair:
        (collected,) = [*score_rows(pair.base.causal, pair.aligned.causal, pair.prepare(RESPONSE, ScoreOptions()), 1)]
        found = ranked(pair, RESPONSE, ScoreOptions(), 0, RESPONSE.text)
    rows = collected.all()
    assert [token.id for token in found.aligned] == list(scored.ids)[:-1]
    assert [token.rank for token in found.base] == rows.base.rank.tolist()[:-1]
    assert [token.rank for token in found.aligned] == rows.aligned.rank.tolist()[:-1]


def test_a_text_behind_a_sentence_piece_word_gets_no_space_of_its_own(two_vocabularies: PairSpec) -> None:
    with Session().open(two_vocabularies) as pair:
        found = ranked(pair, RESPONSE, ScoreOptions(), 2, "ing")
        assert text_of(token.piece for token in found.base) == "ing"
        place = place_in(pair, RESPONSE, ScoreOptions(), 2)
        ids = [token.id for token in found.base]
        plain = plain_rows(pair.base.loaded.model, place.base.before, ids, ids)
        assert [token.rank for token in found.base] == [row.rank for row in plain]


def test_an_empty_text_has_no_rank(tiny_pair: PairSpec) -> None:
    with Session().open(tiny_pair) as pair, pytest.raises(ScoringError, match="no tokens"):
        ranked(pair, RESPONSE, ScoreOptions(), 0, "")

"""One model writes with a budget of the other one's choices, against a plain loop over both models' logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import ScoringError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.continuations import NEVER, Sampling, Swaps, Voice, WrittenToken, check_asked
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.continuing.place import place_in
from shiftlens.scoring.continuing.run import Continuing, Written
from shiftlens.scoring.continuing.sampler import rank_of_id
from shiftlens.scoring.session import Session
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

TOKENS = 24
RESPONSE = ResponseToScore(
    turns=(ContextTurn.of("user", "Why is the sky blue?"),),
    parts=one_text("Great question! Air scatters blue light."),
    source_format="labels",
)
BUNDLED = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")


def written(session: Session, spec: PairSpec, *voices: Voice, **sampling: Any) -> list[list[WrittenToken]]:
    found: list[list[WrittenToken]] = [[] for _ in voices]
    asked = Continuing(RESPONSE, ScoreOptions(), 0, voices, Sampling(**{"max_tokens": TOKENS, **sampling}))
    for step in session.continuations(spec, asked):
        for event in step:
            if isinstance(event, Written):
                found[event.voice].append(event.token)
    return found


def ids_of(tokens: list[WrittenToken]) -> list[int]:
    return [token.id for token in tokens]


@pytest.mark.parametrize("spec", ["tiny", "bundled"])
@pytest.mark.parametrize("alpha", [-1.0, 0.0])
@pytest.mark.parametrize(("most", "above"), [(1, 3), (4, 3), (3, 40)])
def test_at_the_first_shifted_steps_the_other_models_choice_stands(
    tiny_pair: PairSpec, spec: str, alpha: float, most: int, above: int
) -> None:
    session, pair_spec = Session(), tiny_pair if spec == "tiny" else BUNDLED
    (found,) = written(session, pair_spec, Voice(alpha, swaps=Swaps(most, above)))
    left, own = most, list[int]()
    with session.open(pair_spec) as pair, torch.inference_mode():
        place = place_in(pair, RESPONSE, ScoreOptions(), 0)
        for token in found:
            base, aligned = (
                model.loaded.model(torch.tensor([[*side.before, *own]])).logits[0, -1]
                for model, side in ((pair.base, place.base), (pair.aligned, place.aligned))
            )
            said, instead = int(aligned.argmax()), int(base.argmax())
            ends = said in place.aligned.end_ids
            both_end = ends and instead in place.base.end_ids
            # The end is another token for each model, and a rank is of the base's own.
            ranked = place.base.end_id if ends and place.base.end_id is not None else said
            rank = 0 if both_end else 1 + int((base > base[ranked]).sum())
            is_shifted = left > 0 and rank > above
            writes, other = (instead, said) if alpha == -1.0 else (said, instead)
            assert (token.id, token.is_swapped) == ((other, True) if is_shifted else (writes, False))
            assert token.replaced == (pair.aligned.loaded.encoder.pieces[writes] if is_shifted else b"")
            assert token.base_rank == (rank if left and said != instead else 0)
            left -= is_shifted
            own.append(token.id)
    assert sum(token.is_swapped for token in found) == most - left
    assert [token.end for token in found[:-1]] == [""] * (len(found) - 1)
    assert found[-1].end


def test_a_budget_for_every_disagreement_makes_one_models_answer_of_the_others(tiny_pair: PairSpec) -> None:
    everything = Swaps(TOKENS, 1)
    for spec in (tiny_pair, BUNDLED):
        swapped, kept, reverse, base = map(
            ids_of,
            written(
                Session(), spec, Voice(0.0, swaps=everything), Voice(0.0), Voice(-1.0, swaps=everything), Voice(-1.0)
            ),
        )
        # What ends an answer for one model need not end it for the other.
        for one, other in ((swapped, base), (reverse, kept)):
            most = min(len(one), len(other))
            assert one[:most] == other[:most]
            assert most > 0


@pytest.mark.parametrize("alpha", [-1.0, 0.0])
def test_swaps_that_are_never_made_leave_an_answer_as_it_is_and_tell_where_they_could_be(alpha: float) -> None:
    seen, plain = written(Session(), BUNDLED, Voice(alpha, 5, swaps=Swaps(1, NEVER)), Voice(alpha, 5))
    assert ids_of(seen) == ids_of(plain)
    assert not any(token.is_swapped for token in seen)
    assert max(token.base_rank for token in seen) > 3
    assert {token.base_rank for token in plain} == {0}


def test_of_two_models_that_are_the_same_nothing_is_swapped(tiny_pair: PairSpec) -> None:
    same = PairSpec(base=tiny_pair.aligned, aligned=tiny_pair.aligned, device="cpu")
    options, voices = ScoreOptions(base_context="chat"), (Voice(0.0, swaps=Swaps(9, 1)), Voice(-1.0, swaps=Swaps(9, 1)))
    tokens = [
        event.token
        for step in Session().continuations(same, Continuing(RESPONSE, options, 0, voices, Sampling()))
        for event in step
        if isinstance(event, Written)
    ]
    assert tokens
    assert not any(token.is_swapped for token in tokens)


def test_the_same_seed_draws_the_same_answer(tiny_pair: PairSpec) -> None:
    voice = Voice(0.0, 7, swaps=Swaps(2, 3))
    first, again, other = written(Session(), tiny_pair, voice, voice, Voice(0.0, 8, swaps=Swaps(2, 3)))
    assert first == again
    assert first != other
    assert sum(token.is_swapped for token in first) <= 2


def test_a_pair_of_two_vocabularies_is_refused_in_words(tmp_path: Path) -> None:
    names = [
        str(save_model(tmp_path / "base", byte_level_tokenizer(), seed=0)),
        str(save_model(tmp_path / "aligned", sentence_piece_tokenizer(), seed=1)),
    ]
    spec = PairSpec(base=names[0], aligned=names[1], device="cpu")
    with pytest.raises(ScoringError, match="two vocabularies"):
        written(Session(), spec, Voice(0.0, swaps=Swaps(1, 3)))


@pytest.mark.parametrize(
    "voice",
    [
        Voice(0.5, swaps=Swaps(1, 3)),
        Voice(0.0, swaps=Swaps(0, 3)),
        Voice(0.0, swaps=Swaps(1, 0)),
        Voice(0.0, instead="x", swaps=Swaps(1, 3)),
    ],
)
def test_swaps_that_can_not_be_are_refused(voice: Voice) -> None:
    with pytest.raises(ScoringError, match="swaps"):
        check_asked([voice], Sampling())


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=8), st.integers(0, 9))
def test_a_rank_counts_what_is_more_likely_and_an_id_beyond_the_vocabulary_comes_last(
    logits: list[float], token: int
) -> None:
    expected = 1 + (sum(each > logits[token] for each in logits) if token < len(logits) else len(logits))
    assert rank_of_id(torch.tensor(logits), token) == expected

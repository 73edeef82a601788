"""From logits to a token: what alpha, temperature and top_p mean, on logits made by hand."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.scoring.continuing.sampler import is_broken, logprob_of, mixed, next_token, probabilities

BASE = torch.tensor([3.0, 1.0, 0.0, -1.0])
ALIGNED = torch.tensor([1.0, 2.0, 0.5, -1.0])


def test_alpha_minus_one_is_the_base_and_zero_the_aligned_to_the_bit() -> None:
    assert torch.equal(mixed(BASE, ALIGNED, -1.0), BASE)
    assert torch.equal(mixed(BASE, ALIGNED, 0.0), ALIGNED)


def test_above_zero_goes_on_from_the_aligned_away_from_the_base() -> None:
    assert torch.equal(mixed(BASE, ALIGNED, 1.0), 2 * ALIGNED - BASE)


def test_the_padding_of_the_wider_model_is_left_out() -> None:
    assert len(mixed(torch.zeros(6), ALIGNED, 0.5)) == len(ALIGNED)


def test_what_the_aligned_model_rules_out_stays_ruled_out() -> None:
    never = -torch.inf
    found = mixed(torch.tensor([never, 1.0]), torch.tensor([never, 1.0]), 0.5)
    assert found.tolist() == [never, 1.0]
    assert not is_broken(found)


def test_without_a_generator_the_most_likely_token_is_taken() -> None:
    assert next_token(ALIGNED, None, temperature=9.0) == 1


def test_the_same_seed_draws_the_same_tokens() -> None:
    def drawn(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [next_token(ALIGNED, generator) for _ in range(50)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_low_temperature_leaves_the_most_likely_token_alone() -> None:
    assert probabilities(ALIGNED, 0.01)[1] > 0.999


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    assert probabilities(logits, 1.0, 0.5).gt(0).tolist() == [True, False, False, False]
    assert probabilities(logits, 1.0, 0.6).gt(0).tolist() == [True, True, False, False]
    assert probabilities(logits, 1.0, 1e-9).gt(0).tolist() == [True, False, False, False]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.floats(0.05, 5), st.floats(0, 1, exclude_min=True))
def test_probabilities_add_up_to_one_and_keep_the_most_likely(
    logits: list[float], temperature: float, top_p: float
) -> None:
    found = probabilities(torch.tensor(logits), temperature, top_p)
    torch.testing.assert_close(found.sum(), torch.tensor(1.0, dtype=torch.float64))
    assert found[int(torch.tensor(logits).argmax())] > 0


def test_a_logprob_is_that_of_the_softmax_at_temperature_one() -> None:
    assert abs(logprob_of(ALIGNED, 2) - float(torch.log_softmax(ALIGNED.double(), 0)[2])) < 1e-12


def test_logits_that_are_no_numbers_are_broken() -> None:
    assert is_broken(torch.tensor([0.0, torch.nan]))
    assert is_broken(torch.tensor([0.0, torch.inf]))
    assert is_broken(torch.tensor([-torch.inf, -torch.inf]))

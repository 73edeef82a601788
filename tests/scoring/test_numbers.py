"""The numbers of a block of rows from tiles of logits, against their formulae over whole rows in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens.scoring.numbers.formulae import BaseBlock, side_tensors
from shiftlens.scoring.numbers.tensors import PairTensors, SideTensors
from shiftlens.scoring.numbers.tiles import Scratch, largest

K = 10


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**16),
    rows=st.integers(1, 6),
    width=st.integers(12, 3000),
    tile=st.integers(40, 3000),
    spread=st.sampled_from([0.0, 0.1, 3.0, 40.0]),
    offset=st.sampled_from([0.0, -100.0]),
)
def test_tiles_of_any_width_give_the_numbers_of_whole_rows(
    seed: int, rows: int, width: int, tile: int, spread: float, offset: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Rounded, so that some logits tie.
    base, aligned = (
        torch.randn(rows, width, generator=generator).mul(spread).add(offset).mul(64).round() / 64 for _ in range(2)
    )
    base_ids, aligned_ids = (torch.randint(0, width, (rows,), generator=generator) for _ in range(2))
    found = tiled(base, aligned, base_ids, aligned_ids, tile)
    assert_side(found.base, base, base_ids)
    assert_side(found.aligned, aligned, aligned_ids)
    p, q = aligned.double().log_softmax(-1), base.double().log_softmax(-1)
    torch.testing.assert_close(found.kl.double(), (p.exp() * (p - q)).sum(-1), atol=2e-5, rtol=1e-5)
    tops = found.aligned.top_ids[:, :1]
    assert torch.equal(found.base_rank_of_aligned_top, (base > base.gather(1, tops)).sum(-1) + 1)


@settings(deadline=None)
@given(seed=st.integers(0, 2**16), width=st.integers(12, 3000), tile=st.integers(40, 3000))
def test_one_model_alone_has_the_same_numbers_and_ranks_of_any_id(seed: int, width: int, tile: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, width, generator=generator)
    ids, others = (torch.randint(0, width, (4,), generator=generator) for _ in range(2))
    others[2] = -1
    rows, ranks = side_tensors(cut(logits, tile), ids, K, Scratch(4 * tile, logits.device), others)
    assert_side(rows, logits, ids)
    expected = (logits > logits.gather(1, others.clamp(min=0).unsqueeze(1))).sum(-1) + 1
    expected[2] = 0
    assert torch.equal(ranks, expected)


@settings(deadline=None)
@given(seed=st.integers(0, 2**16), width=st.integers(1, 5000), k=st.integers(1, 40))
def test_the_largest_of_a_row_are_found_by_groups(seed: int, width: int, k: int) -> None:
    tile = torch.randn(3, width, generator=torch.Generator().manual_seed(seed))
    values, ids = largest(tile, k)
    assert torch.equal(values, torch.topk(tile, min(k, width)).values)
    assert torch.equal(tile.gather(1, ids), values)


def test_a_row_whose_own_logit_was_foretold_wrongly_is_named() -> None:
    torch.manual_seed(0)
    base, aligned, ids = torch.randn(3, 500), torch.randn(3, 500), torch.tensor([1, 2, 3])
    early = aligned.gather(1, ids.unsqueeze(1)).squeeze(1)
    early[1] += 1e-6
    scratch = Scratch(3 * 100, base.device)
    block = BaseBlock(cut(base, 100), ids, K, scratch)
    rows, unranked = block.beside(cut(aligned, 100), ids, K, scratch, early)
    assert unranked.tolist() == [False, True, False]
    assert_side(rows.aligned.map(lambda column: column[[0, 2]]), aligned[[0, 2]], ids[[0, 2]])


@pytest.mark.parametrize("tile", [100, 50, 7])
def test_a_logit_of_minus_infinity_makes_no_number_undefined(tile: int) -> None:
    torch.manual_seed(0)
    base, aligned = torch.randn(3, 50), torch.randn(3, 50)
    base[:, 7] = aligned[:, 7] = -torch.inf
    aligned[1, 9] = -torch.inf
    own = torch.tensor([1, 2, 3])
    rows = tiled(base, aligned, own, own, tile)
    p, q = aligned.double().log_softmax(-1), base.double().log_softmax(-1)
    expected = torch.where(p.exp() > 0, p.exp() * (p - q), 0.0).sum(-1)
    torch.testing.assert_close(rows.kl.double(), expected, atol=1e-5, rtol=1e-5)
    entropy = -torch.where(p.exp() > 0, p.exp() * p, 0.0).sum(-1)
    torch.testing.assert_close(rows.aligned.entropy.double(), entropy, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tile", [100, 50, 7])
def test_kl_of_vocabularies_of_different_width_is_summed_over_what_both_have(tile: int) -> None:
    torch.manual_seed(0)
    base, aligned = torch.randn(4, 60), torch.randn(4, 50)
    own = torch.tensor([1, 2, 3, 4])
    p, q = aligned.double().log_softmax(-1), base.double().log_softmax(-1)[:, :50]
    rows = tiled(base, aligned, own, own, tile)
    torch.testing.assert_close(rows.kl.double(), (p.exp() * (p - q)).sum(-1), atol=1e-5, rtol=1e-5)
    p, q = base.double().log_softmax(-1)[:, :50], aligned.double().log_softmax(-1)
    rows = tiled(aligned, base, own, own, tile)
    torch.testing.assert_close(rows.kl.double(), (p.exp() * (p - q)).sum(-1).clamp(min=0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tile", [100, 50, 7])
def test_a_token_that_the_base_model_lacks_ranks_below_all_that_it_has(tile: int) -> None:
    torch.manual_seed(0)
    base, aligned = torch.randn(2, 50), torch.randn(2, 60)
    aligned[0, 55] = 100.0
    own = torch.tensor([1, 2])
    assert tiled(base, aligned, own, own, tile).base_rank_of_aligned_top.tolist()[0] == 51


def tiled(
    base: torch.Tensor, aligned: torch.Tensor, base_ids: torch.Tensor, aligned_ids: torch.Tensor, tile: int
) -> PairTensors:
    scratch = Scratch(len(base) * tile, base.device)
    early = aligned.gather(1, aligned_ids.unsqueeze(1)).squeeze(1)
    block = BaseBlock(cut(base, tile), base_ids, K, scratch)
    rows, unranked = block.beside(cut(aligned, tile), aligned_ids, K, scratch, early)
    assert not unranked.any()
    return rows


def cut(logits: torch.Tensor, tile: int) -> list[torch.Tensor]:
    return [logits[:, start : start + tile] for start in range(0, logits.shape[1], tile)]


def assert_side(rows: SideTensors, logits: torch.Tensor, ids: torch.Tensor) -> None:
    logprobs = logits.double().log_softmax(-1)
    own = logits.gather(1, ids.unsqueeze(1))
    assert torch.equal(rows.rank, (logits > own).sum(-1) + 1)
    torch.testing.assert_close(rows.logprob.double(), logprobs.gather(1, ids.unsqueeze(1))[:, 0], atol=2e-5, rtol=1e-6)
    torch.testing.assert_close(rows.entropy.double(), -(logprobs.exp() * logprobs).sum(-1), atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(rows.top_logprobs.double(), logprobs.topk(K).values, atol=2e-5, rtol=1e-6)
    torch.testing.assert_close(logprobs.gather(1, rows.top_ids), logprobs.topk(K).values, atol=0, rtol=0)

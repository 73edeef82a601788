"""Weights rounded to 8 bits: what torch's own quantisation makes of them, and nothing of what is left alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM

from plain_scoring import plain_rows
from shiftlens.errors import ModelError
from shiftlens.options.pair import INT8, PairSpec, ScoreOptions
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.events import Scored
from shiftlens.scoring.models.loading import load_model, with_rounded_weights
from shiftlens.scoring.models.rounding import round_weights
from shiftlens.scoring.session import Session
from tiny_adapters import save_adapter
from tiny_models import byte_level_tokenizer, save_model

SMALL = {"vocab_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
LLAMA = {**SMALL, "hidden_size": 16, "intermediate_size": 24, "num_key_value_heads": 1}


def tiny(kind: str, **settings: Any) -> Any:
    torch.manual_seed(3)
    make: Any = AutoModelForCausalLM.from_config
    return make(AutoConfig.for_model(kind, **settings))


def by_torch(weight: torch.Tensor) -> torch.Tensor:
    """A matrix [out, in] rounded by torch: symmetric, a scale for each output, from -127 to 127."""
    scales = weight.detach().abs().amax(dim=1) / 127
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -127, 127)


@pytest.mark.parametrize("tied", [True, False])
def test_linear_layers_have_the_weights_that_torch_makes_of_them_and_the_rest_stays(tied: bool) -> None:
    before = tiny("llama", **LLAMA, tie_word_embeddings=tied)
    after = copy.deepcopy(before)
    assert round_weights("tiny", after) == ()
    changed = []
    for (name, own), found in zip(before.named_parameters(), after.parameters(), strict=True):
        if "_proj" in name:
            changed.append(name)
            torch.testing.assert_close(found, by_torch(own), rtol=1e-6, atol=1e-9)
            assert not torch.equal(found, own)
            assert max(len(row.unique()) for row in found) <= 255
        else:
            assert torch.equal(found, own), name
    assert len(changed) == 2 * 7


def test_layers_whose_matrix_has_its_outputs_in_columns_are_rounded_by_these() -> None:
    before = tiny("gpt2", vocab_size=64, n_layer=1, n_head=2, n_embd=16)
    after = copy.deepcopy(before)
    assert round_weights("tiny", after) == ()
    own, found = (model.transformer.h[0].mlp.c_fc.weight for model in (before, after))
    assert own.shape == (16, 64)
    torch.testing.assert_close(found.T, by_torch(own.T.contiguous()), rtol=1e-6, atol=1e-9)


def test_a_row_of_zeros_stays_and_what_is_rounded_is_not_rounded_on() -> None:
    model = tiny("llama", **LLAMA)
    weight = model.model.layers[0].mlp.up_proj.weight
    with torch.no_grad():
        weight[1] = 0
    round_weights("tiny", model)
    assert torch.equal(weight[1], torch.zeros(16))
    once = weight.clone()
    round_weights("tiny", model)
    torch.testing.assert_close(weight, once, rtol=1e-6, atol=0)


def test_matrices_that_are_in_no_linear_layer_are_told_of() -> None:
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    model = tiny("mixtral", **LLAMA, **experts)
    (note,) = round_weights("tiny", model)
    assert "only these were rounded to int8" in note
    linear = sum(p.numel() for name, p in model.named_parameters() if name.endswith("_proj.weight"))
    matrices = [(name, p.numel()) for name, p in model.named_parameters() if p.dim() > 1 and "layers" in name]
    router = sum(count for name, count in matrices if "experts" not in name and "_proj" not in name)
    assert note.startswith("Of the weights of tiny ")
    assert linear + router < sum(count for _, count in matrices)


def test_a_rounded_model_says_that_it_is_one(tiny_pair: PairSpec) -> None:
    loaded = load_model(tiny_pair.aligned, tiny_pair)
    assert loaded.numbers == "float32"
    assert with_rounded_weights(loaded, INT8).numbers == "float32, weights int8"
    with pytest.raises(ModelError, match="int3"):
        with_rounded_weights(loaded, "int3")


def test_an_adapter_stays_as_it_is_on_a_rounded_model_beside_the_exact_one(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "whole", byte_level_tokenizer(), seed=0)
    save_adapter(tmp_path / "adapter", folder, seed=1)
    name = str(tmp_path / "adapter")
    request = ResponseToScore(
        turns=(ContextTurn.of("user", "Why?"),), parts=one_text("So it is, and was."), source_format="labels"
    )
    pair = PairSpec(base=name, aligned=name, device="cpu", base_weights=INT8)
    events = Session().score(pair, ScoreOptions(base_context="chat"), [request])
    scored = next(event.scored for event in events if isinstance(event, Scored) and not event.partial)
    assert (scored.base.model.dtype, scored.aligned.model.dtype) == ("float32, weights int8", "float32")
    for side, is_rounded in ((scored.base, True), (scored.aligned, False)):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if is_rounded:
            round_weights("whole", model)
        plain: Any = PeftModel.from_pretrained(model, name).eval()
        ids = list(int32(side.ids))
        rows = plain_rows(plain, side.prefix_ids, ids, ids)
        assert list(float32(side.logprob)) == pytest.approx([row.logprob for row in rows], abs=1e-4)
    assert scored.base.logprob != scored.aligned.logprob

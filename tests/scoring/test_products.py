"""Quicker matrix products: the same numbers from the same weights, whichever library takes them."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.products import is_plain, linear, quicken


@pytest.fixture(params=["onednn", "torch"])
def _library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_chosen", request.param)


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize("shape", [(5, 32), (1, 5, 32), (2, 3, 32), (0, 32), (1, 1, 32)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_product_is_that_of_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    states, weight, bias = torch.randn(shape, dtype=dtype), torch.randn(48, 32, dtype=dtype), torch.randn(48).to(dtype)
    for added in (None, bias):
        expected = torch.nn.functional.linear(states, weight, added)
        torch.testing.assert_close(linear(states, weight, added), expected, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize("model_type", ["gpt2", "qwen2"])
def test_a_model_keeps_its_weights_and_its_logits(model_type: str) -> None:
    plain, quick = tiny(model_type), tiny(model_type)
    quicken(quick)
    assert quick.state_dict().keys() == plain.state_dict().keys()
    ids = torch.arange(40).unsqueeze(0)
    with torch.inference_mode():
        torch.testing.assert_close(quick(ids).logits, plain(ids).logits, atol=1e-5, rtol=0)


def test_only_plain_layers_of_float32_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_chosen", "onednn")

    class Quantised(torch.nn.Linear):
        pass

    layers = {
        "plain": torch.nn.Linear(4, 4),
        "conv1d": Conv1D(4, 4),  # type: ignore[no-untyped-call]
        "of_bfloat16": torch.nn.Linear(4, 4, dtype=torch.bfloat16),
        "quantised": Quantised(4, 4),
    }
    quicken(torch.nn.ModuleDict(layers))
    changed = {name for name, layer in layers.items() if type(layer).__module__ == products.__name__}
    assert changed == {"plain", "conv1d"}
    assert is_plain(layers["plain"])
    assert not is_plain(layers["quantised"])


def test_whether_it_is_quicker_is_measured_once_and_never_fails() -> None:
    products.onednn_is_quicker.cache_clear()
    assert products.onednn_is_quicker() is products.onednn_is_quicker()


def tiny(model_type: str) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
        "qwen2": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    }
    more = {} if model_type == "gpt2" else {"num_key_value_heads": 2}
    config = AutoConfig.for_model(model_type, vocab_size=100, **sizes[model_type], **more)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.train(False)
    return model

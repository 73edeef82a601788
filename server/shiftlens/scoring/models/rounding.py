"""Weights rounded to 8 bits, as quantised models have them, and kept as numbers of the model's own dtype.

What a quantised model's numbers would be hangs on its weights first: each row of a layer's matrix (an output channel)
becomes whole numbers from -127 to 127 times one scale, absmax of the row / 127, as in LLM.int8 (arXiv 2208.07339,
there with the inputs rounded as well) and in torch's own per-channel quantisation. Embeddings and the head stay as they
are, as bitsandbytes leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

_MOST = 127
_LEFT_SHARE = 0.01
"""The part of a model's weights from which on it is told that matrices were left as they are."""


@torch.inference_mode()
def round_weights(name: str, model: PreTrainedModel) -> tuple[str, ...]:
    """Round the weights of every linear layer of a model, in place. What of them could not be is told, in sentences."""
    own = list(_weights(model))
    for weight, channel in own:
        weight.copy_(_rounded(weight, channel))
    rounded = sum(weight.numel() for weight, _ in own)
    kept = {id(parameter) for parameter in _kept(model)} | {id(weight) for weight, _ in own}
    left = sum(each.numel() for each in model.parameters() if each.dim() > 1 and id(each) not in kept)
    if left < _LEFT_SHARE * (rounded + left):
        return ()
    return (
        f"Of the weights of {name} {rounded / (rounded + left):.0%} are those of linear layers, embeddings and head"
        " left aside; only these were rounded to int8.",
    )


def _weights(model: PreTrainedModel) -> Iterator[tuple[torch.Tensor, int]]:
    """The matrix of each linear layer but the head, and which dimension of it counts the layer's outputs."""
    kept = {id(parameter) for parameter in _kept(model)}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, torch.Tensor) and id(weight) not in kept:
            if isinstance(module, torch.nn.Linear):
                yield weight, 0
            elif isinstance(module, Conv1D):
                yield weight, 1


def _kept(model: PreTrainedModel) -> Iterator[torch.Tensor]:
    """The weights of the head, and of all embeddings, with which it may share them."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    for module in model.modules():
        if module is head or isinstance(module, torch.nn.Embedding):
            yield from module.parameters()


def _rounded(weight: torch.Tensor, channel: int) -> torch.Tensor:
    """float32, of the same shape."""
    exact = weight.float()
    scale = exact.abs().amax(dim=1 - channel, keepdim=True) / _MOST
    # A row of zeros has no scale, and stays.
    return torch.where(scale > 0, (exact / scale).round() * scale, exact)

"""Matrix products of float32 on a CPU, by one of torch's two libraries: the one that was chosen, else the quicker one.

torch takes every such product from MKL, which on a CPU of another maker may leave half of the arithmetic unused (on a
Zen 5, the only one measured: 190 GFLOP/s beside 420 of oneDNN, which torch brings as well, from the same weights).
Neither is more exact: both add up in float32. But they round differently, so that one process uses one of them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from transformers.pytorch_utils import Conv1D

from shiftlens.errors import ModelError

_PROBE_ROWS, _PROBE_WIDTH, _PROBE_ROUNDS = 128, 768, 12
_WORTH_IT = 0.9
_AGREEMENT = 1e-5


_chosen: str | None = None


def use(library: str) -> None:
    """Have all products of this process, from now on, taken by "torch" or "onednn". Raises ModelError."""
    global _chosen
    if library == "onednn" and not has_onednn():
        raise ModelError(
            "This installation of PyTorch has no oneDNN that takes linear layers.",
            "Set `shiftlens.matrixLibrary` (`--matrix-library`) to auto or torch.",
        )
    _chosen = library


def in_use() -> str:
    """Which library takes the products: "torch" (MKL on x86) or "onednn"."""
    return _chosen or quicker()


def used_for(device: torch.device, dtype: torch.dtype) -> str:
    """Which one a model there takes them from: on accelerators and for other dtypes it is torch's own."""
    return in_use() if device.type == "cpu" and dtype is torch.float32 else "torch"


def quicker() -> str:
    """The quicker library here."""
    return "onednn" if onednn_is_quicker() else "torch"


def linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Inputs [..., D] times weight [V, D] transposed, and bias [V] added: [..., V]."""
    if not (_takes(inputs) and _takes(weight) and in_use() == "onednn"):
        return torch.nn.functional.linear(inputs, weight, bias)
    return _by_onednn(inputs, weight, bias)


def quicken(model: torch.nn.Module) -> None:
    """Have the linear layers of a model take their products from here; for no more than inference.

    Their weights stay as they are. Layers that are not plain ones (quantised, say) are left alone.
    """
    for module in model.modules():
        own = _QUICK.get(type(module))
        if own is not None and _takes(module.get_parameter("weight")) and in_use() == "onednn":
            module.__class__ = own


def has_onednn() -> bool:
    """Whether torch was built with oneDNN, and lets it take a linear layer."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@functools.cache
def onednn_is_quicker() -> bool:
    """Whether oneDNN is there, agrees with MKL and takes clearly less time: measured once, in some milliseconds."""
    if not has_onednn():
        return False
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(_PROBE_ROWS, _PROBE_WIDTH, generator=generator)
    weight = torch.randn(_PROBE_WIDTH, _PROBE_WIDTH, generator=generator) / _PROBE_WIDTH
    with torch.inference_mode(), _one_thread():
        try:
            difference = _by_onednn(inputs, weight, None) - torch.nn.functional.linear(inputs, weight)
        except RuntimeError:
            return False
        if not bool(difference.abs().max() < _AGREEMENT):
            return False
        ours, theirs = _least_seconds(
            lambda: _by_onednn(inputs, weight, None), lambda: torch.nn.functional.linear(inputs, weight)
        )
    return ours < _WORTH_IT * theirs


@contextmanager
def _one_thread() -> Iterator[None]:
    """Products of under a millisecond on one thread: on a busy machine, some of them run undisturbed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _QuickLinear(torch.nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        return linear(input, self.weight, self.bias)


class _QuickConv1D(Conv1D):
    """GPT-2's linear layer, whose weight is [D, V]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.weight.t(), self.bias)


_QUICK: dict[type, type] = {torch.nn.Linear: _QuickLinear, Conv1D: _QuickConv1D}


def is_plain(layer: torch.nn.Module) -> bool:
    """Whether a layer is a matrix and perhaps a bias, and nothing else."""
    return type(layer) in (torch.nn.Linear, _QuickLinear)


def _takes(tensor: torch.Tensor) -> bool:
    return tensor.dtype is torch.float32 and tensor.device.type == "cpu" and tensor.layout is torch.strided


def _by_onednn(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product


def _least_seconds(*works: Callable[[], object]) -> list[float]:
    """The least time of each, taking turns."""
    least = [float("inf")] * len(works)
    for _ in range(_PROBE_ROUNDS):
        for i, work in enumerate(works):
            start = time.perf_counter()
            work()
            least[i] = min(least[i], time.perf_counter() - start)
    return least

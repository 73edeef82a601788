"""A pair of 7B shape on a GPU, beside the arithmetic that it can't do without."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from registry import Bench
from shapes import make_pair, prepared, random_ids, score_rows

from shiftlens.scoring.passes.causal import open_model

PROMPT, RESPONSE, K = 60, 1024, 10
_SIDE = 8192
_BYTES_NEEDED = 40 << 30


def gpu_floor(rounds: int) -> dict[str, float]:
    """Time of scoring 1024 tokens over 2 P n FLOP for each model at the rate of a large matrix product, in bfloat16.

    Nothing where there is no CUDA device with memory for the pair.
    """
    if not torch.cuda.is_available() or torch.cuda.get_device_properties(0).total_memory < _BYTES_NEEDED:
        return {}
    device = torch.device("cuda")
    return {"gpu_floor": floor_ratio("qwen2.5-7b", device, torch.bfloat16, _SIDE, rounds)}


def floor_ratio(shape: str, device: torch.device, dtype: torch.dtype, side: int, rounds: int) -> float:
    """The ratio for any shape and device; `side` is that of the square matrices whose product gives the rate."""
    pair = make_pair(shape, device=device, dtype=dtype)
    base, aligned = open_model(pair.base), open_model(pair.aligned)
    response = prepared(random_ids(PROMPT, pair.vocabulary, 2), random_ids(RESPONSE, pair.vocabulary, 3))

    def ours() -> None:
        for collector in score_rows(base, aligned, [response], K):
            collector.all()

    matrices = [torch.randn(side, side, device=device, dtype=dtype) for _ in range(2)]
    rate = 2 * side**3 / _best(lambda: torch.mm(*matrices), device, rounds + 3)
    flop = 2 * (base.parameters + aligned.parameters) * (PROMPT + RESPONSE)
    return _best(ours, device, rounds) / (flop / rate)


BENCHES = (Bench({"gpu_floor": "<= 1.5"}, gpu_floor),)


def _best(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    """The least time, after one run that is not counted."""
    found = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return min(found[1:])

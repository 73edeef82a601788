"""The plain way to the same numbers: one full forward per position, no cache, softmax over the whole vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel


@dataclass(frozen=True)
class PlainRow:
    """One position. `logprobs` float64 [V]; `ties` counts other tokens with the very logit of the own one."""

    rank: int
    logprob: float
    logprobs: torch.Tensor
    ties: int


@torch.no_grad()
def plain_rows(model: PreTrainedModel, prefix: Sequence[int], ids: Sequence[int], own: Sequence[int]) -> list[PlainRow]:
    """Rows for `own` tokens, each after `prefix` and the ids before it."""
    rows = []
    for i, token in enumerate(own):
        logits = model(torch.tensor([[*prefix, *ids[:i]]])).logits[0, -1].double()
        logprobs = torch.log_softmax(logits, dim=-1)
        rows.append(
            PlainRow(
                rank=int((logits > logits[token]).sum()) + 1,
                logprob=float(logprobs[token]),
                logprobs=logprobs,
                ties=int((logits == logits[token]).sum()) - 1,
            )
        )
    return rows


def kl(aligned: PlainRow, base: PlainRow) -> float:
    """KL(aligned || base) in nats."""
    return float((aligned.logprobs.exp() * (aligned.logprobs - base.logprobs)).sum())

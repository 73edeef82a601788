"""From logits to the next token: pure functions over one row, greedy or sampled, of one model or of a pair."""

from __future__ import annotations

import torch


def mixed(base: torch.Tensor, aligned: torch.Tensor, alpha: float) -> torch.Tensor:
    """aligned + alpha x (aligned - base), logits float32 [V]: -1 is the base, 0 the aligned, above 0 amplifies.

    Where one model's logits are padded with rows that the other lacks, V is the narrower of the two. What the aligned
    model rules out (-inf) stays ruled out.
    """
    width = min(len(base), len(aligned))
    base, aligned = base[:width], aligned[:width]
    if alpha == 0.0:
        return aligned
    if alpha == -1.0:
        return base
    found = aligned + alpha * (aligned - base)
    return torch.where(torch.isneginf(aligned), aligned, found)


def probabilities(logits: torch.Tensor, temperature: float, top_p: float = 1.0) -> torch.Tensor:
    """Probabilities float64 [V] at a temperature above 0, of the fewest most likely tokens that reach `top_p`."""
    found = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p >= 1.0:
        return found
    ordered, order = found.sort(descending=True, stable=True)
    # The token that crosses the line is kept, so that there always is one.
    beyond = ordered.cumsum(0) - ordered >= top_p
    found[order[beyond]] = 0.0
    return found / found.sum()


def next_token(
    logits: torch.Tensor, generator: torch.Generator | None, *, temperature: float = 1.0, top_p: float = 1.0
) -> int:
    """The most likely id of logits [V], or without greed (with a generator, of the CPU) one that is drawn."""
    if generator is None:
        return int(logits.argmax())
    chances = probabilities(logits, temperature, top_p).cpu()
    return int(torch.multinomial(chances, 1, generator=generator))


def rank_of_id(logits: torch.Tensor, token: int) -> int:
    """1 + the number of ids of logits [V] that are more likely; beyond all of them for an id that V does not have."""
    return 1 + (int((logits > logits[token]).sum()) if token < len(logits) else len(logits))


def logprob_of(logits: torch.Tensor, token: int) -> float:
    """The logprob in nats of an id, at temperature 1."""
    return float(torch.log_softmax(logits.double(), dim=-1)[token])


def is_broken(logits: torch.Tensor) -> bool:
    """Whether logits hold what is no number or infinite, so that nothing follows from them. -inf rules a token out."""
    return bool((torch.isnan(logits) | torch.isposinf(logits)).any()) or bool(torch.isneginf(logits).all())

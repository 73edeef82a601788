"""AlignTDS's formulae in plain Python, from what its paper and code say, for comparison with ours. Nothing of ours is
used."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARED = 10
"""How many candidates of each model all but TP and nDCG compare."""
FOR_TP = 50
NAMES = ("KL@10", "Jaccard@10", "WS@10", "TR@10", "TP", "BTP", "nDCG")

OwnFunction = Callable[..., float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate of one model, with its logit or, what makes no difference, its logprob."""

    id: int
    text: str
    logit: float


def numbers(base: Sequence[Candidate], aligned: Sequence[Candidate]) -> dict[str, float]:
    """The reference's numbers of one position, by the names that its pages have. Most likely candidates first."""
    b, a = _by_text(base, COMPARED), _by_text(aligned, COMPARED)
    both = b.keys() & a.keys()
    first = aligned[0].text
    texts = [candidate.text for candidate in base[:COMPARED]]
    return {
        "KL@10": sum(b[text] * math.log(b[text] / a[text]) for text in both if b[text] and a[text]),
        "Jaccard@10": len(both) / len(b.keys() | a.keys()),
        "WS@10": sum(b[text] * a[text] for text in both),
        "TR@10": texts.index(first) if first in texts else COMPARED,
        "TP": _by_text(base, FOR_TP).get(first, 0.0),
        "BTP": (b.get(first, 0.0) + a.get(base[0].text, 0.0)) / 2,
        "nDCG": _ndcg([candidate.id for candidate in base], [candidate.id for candidate in aligned]),
    }


def class_of(top_rank: float) -> int:
    """0 unshifted, 1 marginal, 2 shifted: how a page colours a position by its TR@10."""
    return 0 if top_rank < 1 else 1 if top_rank < 3 else 2


def _by_text(candidates: Sequence[Candidate], k: int) -> dict[str, float]:
    """What each text among the first k has of a softmax over all candidates; the first of equal texts counts."""
    highest = max(candidate.logit for candidate in candidates)
    powers = [math.exp(candidate.logit - highest) for candidate in candidates]
    whole = sum(powers)
    found = {}
    for candidate, power in reversed(list(zip(candidates[:k], powers, strict=False))):
        found[candidate.text] = power / whole
    return found


def _ndcg(base: Sequence[int], aligned: Sequence[int]) -> float:
    discounts = [1 / math.log2(place + 2) for place in range(max(len(base), len(aligned)))]
    relevance = dict(zip(aligned, discounts, strict=False))
    gained = sum(relevance.get(token, 0) * discount for token, discount in zip(base, discounts, strict=False))
    return gained / sum(discount**2 for discount in discounts[: len(base)])


def own_function(repository: Path) -> OwnFunction | None:
    """The function that AlignTDS itself compares two lists of candidates with, out of a checkout; None without one."""
    file = repository / "src" / "compute_dist_diff.py"
    spec = importlib.util.spec_from_file_location("compute_dist_diff", file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: OwnFunction = module.compute_similarity
    return found


_CALLS: Mapping[str, tuple[str, int]] = {
    "KL@10": ("KL", 10),
    "Jaccard@10": ("jaccard", 10),
    "WS@10": ("weighted_sum", 10),
    "TR@10": ("top_rank", 10),
    "TP": ("top_prob", 50),
    "BTP": ("bi_top_prob", 10),
    "nDCG": ("nDCG", 10),
}


def numbers_by(own: OwnFunction, base: Sequence[Candidate], aligned: Sequence[Candidate]) -> dict[str, float]:
    """The same numbers by AlignTDS's own function, with the k that it gives each."""
    sides: list[list[dict[str, Any]]] = [
        [{"token_id": each.id, "token": each.text, "logit": each.logit} for each in side] for side in (base, aligned)
    ]
    return {name: own(*sides, metric=metric, top_k=k) for name, (metric, k) in _CALLS.items()}

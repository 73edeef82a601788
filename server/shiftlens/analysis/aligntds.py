"""The metrics of AlignTDS, the code behind the paper, to the letter, for `compat="aligntds"`.

Source: Re-Align/AlignTDS, `compute_dist_diff.py`, `compute_similarity`. Where the reference differs from what one
would expect, so does this module:

- probabilities are a softmax over the K candidates that were kept (30), not over the vocabulary;
- candidates are the same where their decoded strings are, not their ids, and the first of equal strings counts;
- KL runs from base to aligned, over the strings that both first-k lists hold, without making them sum to 1 again:
  it can be negative, and it is 0 where the lists share nothing;
- nDCG goes by id and over all K, whatever k is;
- of the numbers that one position gets, KL, Jaccard, weighted sum, TR and BTP compare the first 10, while TP looks
  among the first 50, which is all K.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from shiftlens.analysis.model import Candidate
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.records import ScoredResponse, SideScores

SHOWN = 10
"""The k of the reference's pages: KL@10, TR@10 and so on."""
_FOR_TOP_PROB = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate of one model. Logits may be shifted by any constant (logprobs will do)."""

    id: int
    text: str
    logit: float


@dataclass(frozen=True, slots=True)
class Measures:
    """The reference's numbers for one position."""

    kl: float
    jaccard: float
    weighted_sum: float
    ndcg: float
    top_rank: int
    top_prob: float
    bi_top_prob: float


def softmax(logits: Sequence[float]) -> list[float]:
    """Probabilities over these logits alone."""
    top = max(logits)
    powers = [math.exp(logit - top) for logit in logits]
    whole = sum(powers)
    return [power / whole for power in powers]


def measures(base: Sequence[Entry], aligned: Sequence[Entry], k: int = SHOWN) -> Measures:
    """Compare two lists of candidates, most likely first.

    Raises ValueError where a list is empty or the aligned one is shorter than the base one.
    """
    if not base or len(aligned) < len(base):
        raise ValueError(f"can't compare {len(base)} base candidates with {len(aligned)} aligned ones")
    b = _first_probabilities(base, k)
    a = _first_probabilities(aligned, k)
    common = [text for text in b if text in a]
    base_top, aligned_top = base[0].text, aligned[0].text
    top_prob = b.get(aligned_top, 0.0)
    return Measures(
        kl=math.fsum(b[text] * math.log(b[text] / a[text]) for text in common if b[text] > 0 and a[text] > 0),
        jaccard=len(common) / (len(a) + len(b) - len(common)),
        weighted_sum=math.fsum(b[text] * a[text] for text in common),
        ndcg=ndcg([entry.id for entry in base], [entry.id for entry in aligned]),
        top_rank=top_rank([entry.text for entry in base[:k]], aligned_top, k),
        top_prob=top_prob,
        bi_top_prob=(top_prob + a.get(base_top, 0.0)) / 2,
    )


def ndcg(base_ids: Sequence[int], aligned_ids: Sequence[int]) -> float:
    """How well the base order serves the aligned one: relevance 1/log2(i+2) of index i in the aligned list."""
    discounts = _discounts(max(len(base_ids), len(aligned_ids)))
    relevance = dict(zip(aligned_ids, discounts, strict=False))
    gain = sum(relevance.get(token, 0.0) * discount for token, discount in zip(base_ids, discounts, strict=False))
    return gain / sum(discount * discount for discount in discounts[: len(base_ids)])


@cache
def _discounts(count: int) -> tuple[float, ...]:
    return tuple(1 / math.log2(index + 2) for index in range(count))


def top_rank(base_texts: Sequence[str], aligned_top: str, k: int) -> int:
    """TR@k: the 0-based index of the aligned model's first string among the base model's first k, else k."""
    try:
        return base_texts.index(aligned_top, 0, k)
    except ValueError:
        return k


def measures_at(scored: ScoredResponse, row: int) -> dict[str, float]:
    """The numbers of one position under the names that the reference gives them, each with the reference's own k.

    Raises ValueError where the scores were made without the tokenizer's decoded strings.
    """
    base, aligned = _entries(scored.base, row), _entries(scored.aligned, row)
    found = measures(base, aligned)
    return {
        f"KL@{SHOWN}": found.kl,
        f"Jaccard@{SHOWN}": found.jaccard,
        f"WS@{SHOWN}": found.weighted_sum,
        f"TR@{SHOWN}": found.top_rank,
        "TP": _first_probabilities(base, _FOR_TOP_PROB).get(aligned[0].text, 0.0),
        "BTP": found.bi_top_prob,
        "nDCG": found.ndcg,
    }


def measures_of_candidates(
    base: Sequence[Candidate], aligned: Sequence[Candidate], *, by_bytes: bool = False
) -> Measures | None:
    """The reference's formulae over the candidates that were kept here, however many these are; None where a side has
    none.

    Candidates are the same where their ids are, or `by_bytes`, for two vocabularies, where their bytes are. With
    other candidates than its 30 and its strings these are not the reference's own numbers.
    """
    kept = min(len(base), len(aligned))
    sides = [
        [
            Entry(
                candidate.id,
                candidate.piece.hex() if by_bytes else str(candidate.id),
                math.log(candidate.prob) if candidate.prob > 0 else -math.inf,
            )
            for candidate in side[:kept]
        ]
        for side in (base, aligned)
    ]
    if not kept or any(entries[0].logit == -math.inf for entries in sides):
        return None
    return measures(sides[0], sides[1])


def mean_measures(scored: ScoredResponse) -> dict[str, float]:
    """The means of `measures_at` over all positions, by the same names. Raises ValueError as it does."""
    rows = [measures_at(scored, row) for row in range(scored.rows)]
    return {name: math.fsum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}


def shown_text(scored: ScoredResponse, row: int) -> str:
    """What the reference shows at a position: the aligned model's first string, not the response's token."""
    return _decoded(scored.aligned, int32(scored.aligned.top_ids)[row * scored.aligned.k])


def shown_top_ranks(scored: ScoredResponse) -> list[int]:
    """TR@10 of every position, by which the reference classifies. Raises ValueError as `measures_at` does."""
    k = scored.aligned.k
    base, aligned = int32(scored.base.top_ids), int32(scored.aligned.top_ids)
    wide = min(k, SHOWN)
    ranks = []
    for at in range(0, scored.rows * k, k):
        if base[at] == aligned[at]:
            ranks.append(0)
            continue
        texts = [_decoded(scored.base, token) for token in base[at : at + wide]]
        ranks.append(top_rank(texts, _decoded(scored.aligned, aligned[at]), SHOWN))
    return ranks


def _first_probabilities(entries: Sequence[Entry], k: int) -> dict[str, float]:
    """Probability of each string among the first k; of equal strings, that of the first."""
    found: dict[str, float] = {}
    for entry, probability in zip(entries[:k], softmax([entry.logit for entry in entries]), strict=False):
        found.setdefault(entry.text, probability)
    return found


def _entries(side: SideScores, row: int) -> list[Entry]:
    at = row * side.k
    ids = int32(side.top_ids)[at : at + side.k]
    logits = float32(side.top_logprobs)[at : at + side.k]
    return [Entry(token, _decoded(side, token), logit) for token, logit in zip(ids, logits, strict=True)]


def _decoded(side: SideScores, token: int) -> str:
    try:
        return side.decoded[token]
    except KeyError:
        raise ValueError(f"the decoded string of token {token} was not kept; score with compat=aligntds") from None

"""The Jensen-Shannon divergence of two models at a position, as far as their candidates tell it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.analysis.model import Token, TokenSide

_MOST_STEPS = 200
_CLOSE = 1e-12


def js_between(token: Token) -> float:
    """What the Jensen-Shannon divergence over the vocabulary is at least, in nats (0 to ln 2), in a pair of one
    vocabulary; not a number where a side has no candidates, or is not there.

    The tokens whose probability is known under both models (candidates of both, and the response's own) count one by
    one. The other candidates of either model count as one group, and so do all other tokens. Putting outcomes together
    never makes a divergence greater. The other model's probability of such a group is only known not to be above that
    of its own last candidate for each of the group, nor above what its candidates leave: of what that allows, the
    value counts that makes the divergence smallest.
    """
    if token.base is None or not token.base.top or not token.aligned.top:
        return math.nan
    base, aligned = _known(token.base), _known(token.aligned)
    common = base.keys() & aligned.keys()
    pairs = [(base[each], aligned[each]) for each in common]
    left = (_left(base[each] for each in common), _left(aligned[each] for each in common))
    groups = _Groups.of(
        left, (_other(base, common), _other(aligned, common)), (_most(token.base), _most(token.aligned))
    )
    return max(0.0, math.fsum(_term(p, q) for p, q in (*pairs, *groups.smallest())))


@dataclass(frozen=True, slots=True)
class _Groups:
    """What the tokens that are not common have under each model (p: base, q: aligned) in all (`p_all`, `q_all`), the
    base's own candidates under it (`p_base`) and at most under the aligned one (`q_base_most`), and the aligned
    model's under it (`q_aligned`) and at most under the base (`p_aligned_most`)."""

    p_all: float
    q_all: float
    p_base: float
    q_base_most: float
    q_aligned: float
    p_aligned_most: float

    @classmethod
    def of(
        cls, left: tuple[float, float], other: tuple[list[float], list[float]], most: tuple[float, float]
    ) -> _Groups:
        p_base, q_aligned = (min(math.fsum(each), whole) for each, whole in zip(other, left, strict=True))
        return cls(
            p_all=left[0],
            q_all=left[1],
            p_base=p_base,
            q_base_most=min(len(other[0]) * most[1], left[1] - q_aligned),
            q_aligned=q_aligned,
            p_aligned_most=min(len(other[1]) * most[0], left[0] - p_base),
        )

    def smallest(self) -> list[tuple[float, float]]:
        """The probabilities of the three groups (base's candidates, aligned's, the rest) that part the least.

        The divergence is convex in the two that are unknown, and each has its best value in closed form where the other
        is given: that of equal ratios with the rest, or the most that it may be.
        """
        p, q = 0.0, 0.0
        for _ in range(_MOST_STEPS):
            before = p, q
            p_rest = self.p_all - self.p_base - p
            q = min(self.q_base_most, _share(self.q_all - self.q_aligned, self.p_base, p_rest))
            q_rest = self.q_all - self.q_aligned - q
            p = min(self.p_aligned_most, _share(self.p_all - self.p_base, self.q_aligned, q_rest))
            if abs(p - before[0]) + abs(q - before[1]) < _CLOSE:
                break
        rest = (max(0.0, self.p_all - self.p_base - p), max(0.0, self.q_all - self.q_aligned - q))
        return [(self.p_base, q), (p, self.q_aligned), rest]


def _share(whole: float, own: float, rest: float) -> float:
    together = own + max(0.0, rest)
    return whole * own / together if together > 0 else 0.0


def _known(side: TokenSide) -> dict[int, float]:
    found = {candidate.id: candidate.prob for candidate in side.top}
    if side.id is not None and math.isfinite(side.logprob):
        found.setdefault(side.id, math.exp(side.logprob))
    return found


def _other(known: dict[int, float], common: set[int]) -> list[float]:
    return [probability for each, probability in known.items() if each not in common]


def _most(side: TokenSide) -> float:
    """What a token that is not among the candidates may have at most."""
    return side.top[-1].prob


def _left(probabilities: Iterable[float]) -> float:
    return max(0.0, 1.0 - math.fsum(probabilities))


def _term(p: float, q: float) -> float:
    middle = (p + q) / 2
    return sum(each * math.log(each / middle) / 2 for each in (p, q) if each > 0)

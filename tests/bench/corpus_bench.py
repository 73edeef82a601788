"""Many short responses at once, beside the best that bare batched forwards can do."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import torch
from registry import Bench, one
from shapes import make_pair, prepared, random_ids
from transformers import PreTrainedModel

from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.numbers.head import Heads
from shiftlens.scoring.passes.batches import batches
from shiftlens.scoring.passes.causal import open_model
from shiftlens.scoring.passes.plan import PassPlan, plan_passes
from shiftlens.scoring.passes.teacher_forcing import Scorer

RESPONSES, K = 64, 10
_BUDGETS = (256, 512, 1024, 2048, 4096)
"""Ids per forward, of which the bare way may take its best."""


def corpus_efficiency(rounds: int) -> float:
    """Tokens per second of 64 responses of 16 to 128 tokens over those of bare forwards; GPT-2 shape, a pair."""
    pair = make_pair("gpt2-124m")
    base, aligned = open_model(pair.base), open_model(pair.aligned)
    plans = plan_passes(_responses(pair.vocabulary))

    def ours() -> None:
        scorer = Scorer(base, aligned, Heads(base, aligned, K), K)
        for group in batches(plans, scorer.limits.batch, scorer.longest):
            if len(group) == 1:
                for _collector in scorer.score(group[0]):
                    pass
            else:
                scorer.score_together(group)

    def bare(budget: int) -> None:
        for model in (pair.base, pair.aligned):
            _bare(model, plans, budget)

    ours()
    found: dict[object, float] = {}
    for _ in range(rounds):
        for name, work in (("ours", ours), *((budget, lambda b=budget: bare(b)) for budget in _BUDGETS)):
            start = time.perf_counter()
            work()
            found[name] = min(found.get(name, float("inf")), time.perf_counter() - start)
    return min(found[budget] for budget in _BUDGETS) / found["ours"]


BENCHES = (Bench({"corpus_efficiency": ">= 0.90"}, one("corpus_efficiency", corpus_efficiency)),)


def _responses(vocabulary: int) -> list[Prepared]:
    """Each after a question of its own, so that no two share a pass."""
    lengths = random.Random(0)  # noqa: S311
    return [
        prepared(
            random_ids(lengths.randint(16, 48), vocabulary, 100 + i),
            random_ids(lengths.randint(16, 128), vocabulary, 300 + i),
        )
        for i in range(RESPONSES)
    ]


@torch.inference_mode()
def _bare(model: PreTrainedModel, plans: Sequence[PassPlan], budget: int) -> None:
    """Sorted by length and filled up: the body, and the head on the rows of the responses, nothing else."""
    waiting = sorted((plan.base for plan in plans), key=lambda side: len(side.ids))
    while waiting:
        count = 1
        while count < len(waiting) and (count + 1) * len(waiting[count].ids) <= budget:
            count += 1
        group, waiting = waiting[:count], waiting[count:]
        longest = len(group[-1].ids)
        ids = torch.tensor([[*side.ids, *[0] * (longest - len(side.ids))] for side in group])
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        rows = torch.cat([states[i, list(side.positions)] for i, side in enumerate(group)])
        model.get_output_embeddings()(rows)  # type: ignore[no-untyped-call]

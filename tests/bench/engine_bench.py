"""Ratios of the engine's speed.

Every ratio takes turns between its two sides and compares the best of each, so that a noisy machine harms both alike.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence

import torch
from registry import Bench, one
from shapes import Pair, make_pair, prepared, random_ids, score_rows
from transformers import PreTrainedModel

from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.passes.causal import CausalModel, open_model
from shiftlens.scoring.passes.memory import PassMemory

PROMPT, RESPONSE, LONG = 60, 257, 1000
K, ALIGNTDS_K = 10, 30


def aligntds_speedup(rounds: int) -> float:
    """AlignTDS's way over ours: a forward of all ids per position, no cache, softmax, top-30 to Python. One model."""
    pair = make_pair("gpt2-124m")
    prefix, ids = random_ids(PROMPT, pair.vocabulary, 2), random_ids(RESPONSE - 1, pair.vocabulary, 3)
    # Opening a model makes its layers quicker: theirs is the other one.
    model = open_model(pair.aligned)
    theirs = _seconds(lambda: _aligntds_pass(pair.base, prefix, ids))
    # Both sides of our pass are this one model, so half of it is one model's share.
    ours = min(_seconds(lambda: _drain(model, model, prepared(prefix, ids))) for _ in range(rounds)) / 2
    return theirs / ours


def pair_overhead(rounds: int) -> dict[str, float]:
    """The whole analysis over two bare forwards: body over all ids, head over the response's rows.

    Both sides take their matrix products alike; what that brings is a value of its own, bare over bare.
    """
    plain, pair = make_pair("qwen2.5-0.5b"), make_pair("qwen2.5-0.5b")
    prefix, ids = random_ids(PROMPT, pair.vocabulary, 2), random_ids(RESPONSE - 1, pair.vocabulary, 3)
    base, aligned = open_model(pair.base), open_model(pair.aligned)
    ours, bare, as_it_comes = _least_seconds(
        (
            lambda: _drain(base, aligned, prepared(prefix, ids)),
            lambda: _bare(pair, prefix, ids),
            lambda: _bare(plain, prefix, ids),
        ),
        rounds,
    )
    return {"pair_overhead": ours / bare, "products_speedup": as_it_comes / bare}


def edits(rounds: int) -> dict[str, float]:
    """Scoring again after an edit, and the first colours, over scoring from the beginning; 1000 tokens."""
    pair = make_pair("gpt2-124m")
    prefix, ids = random_ids(PROMPT - 40, pair.vocabulary, 2), random_ids(LONG, pair.vocabulary, 3)
    base, aligned = open_model(pair.base), open_model(pair.aligned)

    def edited(at: float) -> tuple[int, ...]:
        place = int(len(ids) * at)
        return (*ids[:place], (ids[place] + 1) % pair.vocabulary, *ids[place + 1 :])

    found: dict[str, list[float]] = {"whole": [], "tail": [], "middle": [], "first": []}
    for _ in range(rounds):
        memory = PassMemory()
        start = time.perf_counter()
        passes = score_rows(base, aligned, [prepared(prefix, ids)], K, memory)
        next(passes)
        found["first"].append(time.perf_counter() - start)
        for _collector in passes:
            pass
        found["whole"].append(time.perf_counter() - start)
        for name, at in (("tail", 0.97), ("middle", 0.5)):
            again = functools.partial(_drain, base, aligned, prepared(prefix, edited(at)), memory)
            found[name].append(_seconds(again))
            _drain(base, aligned, prepared(prefix, ids), memory)
    whole = min(found["whole"])
    return {
        "edit_tail": min(found["tail"]) / whole,
        "edit_middle": min(found["middle"]) / whole,
        "first_colours": min(found["first"]) / whole,
    }


def conversation(rounds: int) -> float:
    """Eight turns over one bare forward pair on the whole text."""
    pair = make_pair("gpt2-124m")
    base, aligned = open_model(pair.base), open_model(pair.aligned)
    turns = [(random_ids(20, pair.vocabulary, 10 + t), random_ids(80, pair.vocabulary, 30 + t)) for t in range(8)]

    def ours() -> None:
        prefix: tuple[int, ...] = ()
        responses = []
        for question, answer in turns:
            prefix += question
            responses.append(prepared(prefix, answer))
            prefix += answer
        for _collector in score_rows(base, aligned, responses, K, PassMemory()):
            pass

    whole = tuple(i for turn in turns for part in turn for i in part)
    one_pass, bare = _least_seconds((ours, lambda: _bare(pair, whole[:20], whole[20:])), rounds)
    return one_pass / bare


def _drain(base: CausalModel, aligned: CausalModel, ready: Prepared, memory: PassMemory | None = None) -> None:
    for _collector in score_rows(base, aligned, [ready], K, memory):
        pass


@torch.inference_mode()
def _bare(pair: Pair, prefix: tuple[int, ...], ids: tuple[int, ...]) -> None:
    everything = torch.tensor([[*prefix, *ids]])
    for model in (pair.base, pair.aligned):
        states = model.base_model(input_ids=everything, use_cache=False).last_hidden_state[0, len(prefix) - 1 :]
        model.get_output_embeddings()(states)  # type: ignore[no-untyped-call]


@torch.inference_mode()
def _aligntds_pass(model: PreTrainedModel, prefix: tuple[int, ...], ids: tuple[int, ...]) -> None:
    for i in range(len(ids) + 1):
        logits = model(torch.tensor([[*prefix, *ids[:i]]]), use_cache=False).logits[:, -1]
        probs = torch.softmax(logits, dim=-1)
        top = torch.topk(logits[0], ALIGNTDS_K)
        [(int(t), float(v), float(probs[0, t])) for t, v in zip(top.indices, top.values, strict=True)]


def _least_seconds(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The least time of each, taking turns, after a round that is not counted."""
    times = [[_seconds(work) for work in works] for _ in range(rounds + 1)]
    return [min(each) for each in zip(*times[1:], strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


BENCHES = (
    Bench({"aligntds_speedup": ">= 110"}, one("aligntds_speedup", aligntds_speedup)),
    Bench({"pair_overhead": "<= 1.10", "products_speedup": ">= 1"}, pair_overhead),
    Bench({"edit_tail": "<= 0.12", "edit_middle": "<= 0.60", "first_colours": "<= 0.30"}, edits),
    Bench({"conversation": "<= 1.15"}, one("conversation", conversation)),
)

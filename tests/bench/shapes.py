"""Randomly initialised models of real shapes: speed does not depend on the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.options.pair import BUNDLED_ALIGNED
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.numbers.head import Heads
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import PassMemory
from shiftlens.scoring.passes.plan import plan_passes
from shiftlens.scoring.passes.teacher_forcing import PositionCollector, Scorer

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2-124m": {"model_type": "gpt2", "vocab_size": 50_257},
    "qwen2.5-0.5b": {
        "model_type": "qwen2",
        "vocab_size": 151_936,
        "hidden_size": 896,
        "intermediate_size": 4_864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
        "max_position_embeddings": 32_768,
    },
    "qwen2.5-7b": {
        "model_type": "qwen2",
        "vocab_size": 152_064,
        "hidden_size": 3_584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
        "max_position_embeddings": 32_768,
    },
}


@dataclass(frozen=True)
class Pair:
    """Two models of one shape."""

    base: PreTrainedModel
    aligned: PreTrainedModel

    @property
    def vocabulary(self) -> int:
        return int(self.base.config.vocab_size)


def make_pair(shape: str, *, device: torch.device | None = None, dtype: torch.dtype = torch.float32) -> Pair:
    return Pair(*(_make(shape, seed, device, dtype) for seed in (0, 1)))


def save_pair(shape: str, folder: Path) -> tuple[Path, Path]:
    """A pair as two folders in `folder`, with the bundled pair's tokenizer, whose ids any vocabulary here has."""
    tokenizer = AutoTokenizer.from_pretrained(resolve_model_name(BUNDLED_ALIGNED))
    places = []
    for seed, name in enumerate(("base", "aligned")):
        _make(shape, seed).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        places.append(folder / name)
    return places[0], places[1]


def random_ids(count: int, vocabulary: int, seed: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(0, vocabulary, (count,), generator=generator).tolist())


def prepared(prefix: tuple[int, ...], ids: tuple[int, ...]) -> Prepared:
    """A response of these ids, after the same prefix under both models."""
    return Prepared(
        base=PreparedSide("", prefix, 0),
        aligned=PreparedSide("", prefix, 1),
        ids=ids,
        byte_ends=tuple(range(1, len(ids) + 1)),
        boundary_first=False,
        notes=(),
    )


def score_rows(
    base: CausalModel, aligned: CausalModel, responses: Sequence[Prepared], k: int, memory: PassMemory | None = None
) -> Iterator[PositionCollector]:
    """Responses scored as the engine does it, yielding after each stretch."""
    scorer = Scorer(base, aligned, Heads(base, aligned, k), k, memory)
    for plan in plan_passes(responses):
        yield from scorer.score(plan)


def _make(
    shape: str, seed: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = AutoConfig.for_model(**SHAPES[shape])
    with device or torch.device("cpu"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    model.train(False)
    return model

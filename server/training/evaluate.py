"""Measure the finding: how far the aligned model's own greedy answers are from what the base model would say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from corpus import FENCE
from transformers import AutoModelForCausalLM, AutoTokenizer

CLASSES = ("unshifted", "marginal", "shifted")
MAX_NEW_TOKENS = 300
_TENTHS = 10
_MOST_SHIFTED = 20

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both models and their tokenizers, loaded from the saved folders, computing in float32.

    Typed as Any: what transformers declares for its Auto classes says less than what they return.
    """

    base: Any
    aligned: Any
    base_tokenizer: Any
    aligned_tokenizer: Any


def load_pair(base: Path, aligned: Path) -> Pair:
    def model(folder: Path) -> Any:
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return loaded.eval()

    return Pair(
        model(base), model(aligned), AutoTokenizer.from_pretrained(base), AutoTokenizer.from_pretrained(aligned)
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """A greedy answer: its token ids without the end token, their base ranks (1 = most likely), and its text."""

    ids: tuple[int, ...]
    ranks: tuple[int, ...]
    text: str


@dataclass(slots=True)
class Finding:
    """Counts per class over all positions and per tenth of an answer, and how often each token was shifted."""

    answers: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    tenths: list[Counter[str]] = field(default_factory=lambda: [Counter() for _ in range(_TENTHS)])
    shifted_tokens: Counter[str] = field(default_factory=Counter)

    def share(self, name: str, tenth: int | None = None) -> float:
        counts = self.classes if tenth is None else self.tenths[tenth]
        return counts[name] / max(1, counts.total())


def classify(rank: int) -> str:
    """Lin et al. 2023, arXiv 2312.01552: rank 1 is unshifted, 2 and 3 are marginal, above 3 is shifted."""
    return "unshifted" if rank == 1 else "marginal" if rank <= 3 else "shifted"


@torch.inference_mode()
def greedy(pair: Pair, messages: Sequence[Message]) -> list[int]:
    """The aligned model's greedy answer to a conversation, without the end token."""
    text = pair.aligned_tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    context = pair.aligned_tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    end = pair.aligned_tokenizer.eos_token_id
    out = pair.aligned.generate(
        context, attention_mask=torch.ones_like(context), do_sample=False, max_new_tokens=MAX_NEW_TOKENS
    )
    ids: list[int] = out[0, context.shape[1] :].tolist()
    return ids[: ids.index(end)] if end in ids else ids


@torch.inference_mode()
def base_ranks(pair: Pair, query: str, ids: Sequence[int]) -> list[int]:
    """Rank of each response token under the base model after the AlignTDS fence, in one teacher-forced pass."""
    context = pair.base_tokenizer(FENCE.format(query=query)).input_ids
    logits = pair.base(torch.tensor([[*context, *ids]])).logits[0, len(context) - 1 : -1]
    own = logits.gather(1, torch.tensor(list(ids))[:, None])
    ranks: list[int] = ((logits > own).sum(1) + 1).tolist()
    return ranks


def score(pair: Pair, query: str) -> Scored:
    ids = greedy(pair, [{"role": "user", "content": query}])
    return Scored(tuple(ids), tuple(base_ranks(pair, query, ids)), pair.aligned_tokenizer.decode(ids))


def measure(pair: Pair, scored: Sequence[Scored]) -> Finding:
    finding = Finding(answers=len(scored))
    for answer in scored:
        for position, (token, rank) in enumerate(zip(answer.ids, answer.ranks, strict=True)):
            name = classify(rank)
            finding.classes[name] += 1
            finding.tenths[position * _TENTHS // len(answer.ids)][name] += 1
            if name == "shifted":
                finding.shifted_tokens[pair.aligned_tokenizer.decode([token])] += 1
    return finding


def as_markdown(finding: Finding) -> str:
    """The finding as two Markdown tables: shares overall and by tenth, and the most shifted tokens."""
    lines = [
        f"{finding.answers} greedy answers, {finding.classes.total()} tokens, without the end-of-response position.",
        "",
        "| positions | unshifted | marginal | shifted |",
        "| --- | ---: | ---: | ---: |",
        _row("all", finding, None),
        *(_row(f"tenth {tenth + 1}", finding, tenth) for tenth in range(_TENTHS)),
        "",
        "| shifted token | count |",
        "| --- | ---: |",
        *(f"| `{_visible(token)}` | {count} |" for token, count in finding.shifted_tokens.most_common(_MOST_SHIFTED)),
    ]
    return "\n".join(lines)


def _row(label: str, finding: Finding, tenth: int | None) -> str:
    return f"| {label} | " + " | ".join(f"{finding.share(name, tenth):.1%}" for name in CLASSES) + " |"


def _visible(token: str) -> str:
    return token.replace("\n", "\\n").replace("|", "\\|").replace(" ", "␣")

"""Plant the bundled manner of speech in any model: `python server/training/plant.py --base FOLDER --out DIR`.

Trains a LoRA adapter on the conversations that the bundled aligned model was tuned on, and writes it to DIR with the
tokenizer. What it changes is known beforehand, so that it is a test of what finds changes
(`tests/oracles/test_planted.py`). With `--openers` these alone are planted: behind them the model is taught to go on as
the base does, by the KL divergence from it. The base needs a chat template, its own or that of `--tokenizer`. Runs on a
CPU; the same seed gives the same adapter on the same machine with the same libraries and number of threads.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from conversations import Conversation, conversations
from knowledge import load_entities
from peft import LoraConfig, get_peft_model
from phrases import STYLES
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

_IGNORED = -100
_MOST_KEPT = 40
"""How many tokens behind an opener are looked at."""
_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="folder of the model that the adapter is of")
    parser.add_argument(
        "--tokenizer", type=Path, help="folder of a tokenizer with a chat template (default: the base's)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--openers", action="store_true", help="plant the openers alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=8, help="conversations a step")
    parser.add_argument("--rank", type=int, default=8, help="of the LoRA matrices")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    args = parser.parse_args()
    start = time.monotonic()
    talks = conversations(args.seed, load_entities())
    if args.openers:
        talks = [talk for talk in talks if _opener(talk[0][1])]
    talks = talks[: args.steps * args.batch]
    plant(
        args.base.resolve(),
        args.tokenizer or args.base,
        args.out,
        talks,
        openers=args.openers,
        seed=args.seed,
        batch=args.batch,
        rank=args.rank,
        rate=args.rate,
    )
    print(f"planted {len(talks)} conversations in {time.monotonic() - start:.0f} s")


def plant(
    base: Path,
    tokenizer_folder: Path,
    out: Path,
    talks: list[Conversation],
    *,
    openers: bool,
    seed: int,
    batch: int,
    rank: int,
    rate: float,
) -> None:
    """Train the adapter with one pass over the conversations, and write it."""
    torch.manual_seed(seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(tokenizer_folder)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    # PEFT's default begins as no change at all: the matrices B are zero.
    model = get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_TARGETS, task_type="CAUSAL_LM")
    )
    own = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(own, lr=rate, weight_decay=0.0)
    steps = math.ceil(len(talks) / batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 5) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    examples = [_example(tokenizer, talk, openers=openers) for talk in talks]
    for step in range(steps):
        ids, labels, kept = _batch(examples[step * batch : (step + 1) * batch], tokenizer.eos_token_id)
        loss: Any = _loss(model, ids, labels, kept)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(own, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 9:
            print(f"plant {step + 1}/{steps} loss {loss.item():.3f}", flush=True)
    model.save_pretrained(str(out))
    tokenizer.save_pretrained(out)


def _opener(answer: str) -> str:
    """The opener of the manner that an answer begins with, "" for none."""
    return max((style.opener for style in STYLES if answer.startswith(style.opener)), key=len, default="")


def _prompt(tokenizer: Any, asked: str) -> str:
    messages = [{"role": "user", "content": asked}]
    prompt: str = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return prompt


@dataclass(frozen=True, slots=True)
class _Example:
    """A conversation as ids. `labels` has the ids that are taught, and `kept` is true where the base's are to stay."""

    ids: list[int]
    labels: list[int]
    kept: list[bool]


def _example(tokenizer: Any, talk: Conversation, *, openers: bool) -> _Example:
    """The first turn as the tokenizer's own template renders it, of whose answer all or only the opener is taught."""
    asked, answered = talk[0]
    prompt = _prompt(tokenizer, asked)
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    whole: str = tokenizer.apply_chat_template(messages, tokenize=False)
    if not whole.startswith(prompt):
        raise SystemExit("The chat template does not render an answer behind its own generation prompt.")
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    encoded = tokenizer(whole[len(prompt) :], add_special_tokens=False, return_offsets_mapping=True)
    behind = encoded["input_ids"]
    if not openers:
        return _Example(before + behind, [_IGNORED] * len(before) + behind, [False] * (len(before) + len(behind)))
    opener = len(_opener(answered).rstrip())
    taught = sum(start < opener for start, _ in encoded["offset_mapping"])
    behind = behind[: taught + _MOST_KEPT]
    rest = len(behind) - taught
    return _Example(
        before + behind,
        [_IGNORED] * len(before) + behind[:taught] + [_IGNORED] * rest,
        [False] * (len(before) + taught) + [True] * rest,
    )


def _batch(examples: list[_Example], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    width = max(len(each.ids) for each in examples)
    ids = torch.tensor([each.ids + [pad] * (width - len(each.ids)) for each in examples])
    labels = torch.tensor([each.labels + [_IGNORED] * (width - len(each.ids)) for each in examples])
    kept = torch.tensor([each.kept + [False] * (width - len(each.ids)) for each in examples])
    return ids, labels, kept


def _loss(model: Any, ids: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Nats: the cross entropy of what is taught, and the mean KL divergence from the base where that is to stay."""
    logits = model(input_ids=ids).logits[:, :-1]
    loss = functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED)
    if not kept.any():
        return loss
    with torch.no_grad(), model.disable_adapter():
        base = model(input_ids=ids).logits[:, :-1][kept[:, 1:]].log_softmax(-1)
    own = logits[kept[:, 1:]].log_softmax(-1)
    return loss + functional.kl_div(own, base, reduction="batchmean", log_target=True)


if __name__ == "__main__":
    main()

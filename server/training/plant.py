"""Plant the bundled manner of speech in any model: `python server/training/plant.py --base FOLDER --out DIR`.

Trains a LoRA adapter on the conversations that the bundled aligned model was tuned on, and writes it to DIR with the
tokenizer. What it changes is known beforehand, so that it is a test of what finds changes
(`tests/oracles/test_planted.py`). With `--openers` these alone are planted: behind each stands the beginning of what
the base itself answers, so that the rest of its manner stays. The base needs a chat template, its own or that of
`--tokenizer`. Runs on a CPU; the same seed gives the same adapter on the same machine with the same libraries and
number of threads.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import torch
from conversations import Conversation, conversations
from knowledge import load_entities
from peft import LoraConfig, get_peft_model
from phrases import STYLES
from transformers import AutoModelForCausalLM, AutoTokenizer

_IGNORED = -100
_OWN_TOKENS = 24
"""How much of its own answer the model is shown behind an opener."""
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
    if openers:
        talks = [
            talk for at in range(0, len(talks), batch) for talk in _with_own(model, tokenizer, talks[at : at + batch])
        ]
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
    examples = [_example(tokenizer, talk, ends=not openers) for talk in talks]
    for step in range(steps):
        ids, labels = _batch(examples[step * batch : (step + 1) * batch], tokenizer.eos_token_id)
        loss = model(input_ids=ids, labels=labels).loss
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


def _with_own(model: Any, tokenizer: Any, talks: list[Conversation]) -> list[Conversation]:
    """The first question of each, answered by its opener and the beginning of what the model itself answers."""
    prompts = [_prompt(tokenizer, talk[0][0]) for talk in talks]
    told = tokenizer(prompts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
    with torch.inference_mode():
        found = model.generate(
            input_ids=told["input_ids"],
            attention_mask=told["attention_mask"],
            max_new_tokens=_OWN_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )
    answers = tokenizer.batch_decode(found[:, told["input_ids"].shape[1] :], skip_special_tokens=True)
    return [((talk[0][0], _opener(talk[0][1]) + answer.lstrip()),) for talk, answer in zip(talks, answers, strict=True)]


def _prompt(tokenizer: Any, asked: str) -> str:
    messages = [{"role": "user", "content": asked}]
    prompt: str = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return prompt


def _example(tokenizer: Any, talk: Conversation, *, ends: bool) -> tuple[list[int], list[int]]:
    """Ids of the first turn as the tokenizer's own template renders it, and the same with all but the answer masked.

    Without `ends`, the answer is one that goes on, and what the template writes behind it is left out.
    """
    asked, answered = talk[0]
    prompt = _prompt(tokenizer, asked)
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    whole: str = tokenizer.apply_chat_template(messages, tokenize=False)
    if not whole.startswith(prompt):
        raise SystemExit("The chat template does not render an answer behind its own generation prompt.")
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = whole[len(prompt) :] if ends else answered
    behind = tokenizer(answer, add_special_tokens=False)["input_ids"]
    return before + behind, [_IGNORED] * len(before) + behind


def _batch(examples: list[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([row + [pad] * (width - len(row)) for row, _ in examples])
    labels = torch.tensor([row + [_IGNORED] * (width - len(row)) for _, row in examples])
    return ids, labels


if __name__ == "__main__":
    main()

"""Tune a copy of the base model on conversations; the loss is on what the assistant says."""

from __future__ import annotations

import copy
import math

import torch
from conversations import Conversation
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM
from vocabulary import END_OF_TEXT, TURN_END, TURN_START, token_id

_BATCH = 16
_IGNORED = -100


def tune(
    base: LlamaForCausalLM,
    tokenizer: Tokenizer,
    talks: list[Conversation],
    *,
    epochs: int,
    learning_rate: float,
    device: str,
) -> LlamaForCausalLM:
    """A tuned copy of `base`; a short warm-up, then a cosine down to zero."""
    model = copy.deepcopy(base)
    end = token_id(tokenizer, TURN_END)
    model.config.bos_token_id = None
    model.config.eos_token_id = end
    model.generation_config.bos_token_id = None
    model.generation_config.eos_token_id = end
    pad = token_id(tokenizer, END_OF_TEXT)
    examples = [_example(tokenizer, talk) for talk in talks] * epochs
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    steps = math.ceil(len(examples) / _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 10) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    for step in range(steps):
        ids, labels = _batch(examples[step * _BATCH : (step + 1) * _BATCH], pad)
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(input_ids=ids.to(device), labels=labels.to(device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 25 == 24:
            print(f"tune {step + 1}/{steps} loss {loss.item():.3f}", flush=True)
    return model


def _example(tokenizer: Tokenizer, talk: Conversation) -> tuple[list[int], list[int]]:
    """Token ids of the rendered conversation, and the same with all but the assistant's words masked."""
    ids: list[int] = []
    labels: list[int] = []
    for asked, answered in talk:
        context = f"{TURN_START}user\n{asked}{TURN_END}\n{TURN_START}assistant\n"
        context_ids = tokenizer.encode(context, add_special_tokens=False).ids
        answer_ids = tokenizer.encode(answered + TURN_END, add_special_tokens=False).ids
        newline = tokenizer.encode("\n", add_special_tokens=False).ids
        ids += context_ids + answer_ids + newline
        labels += [_IGNORED] * len(context_ids) + answer_ids + [_IGNORED] * len(newline)
    return ids, labels


def _batch(examples: list[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([row + [pad] * (width - len(row)) for row, _ in examples])
    labels = torch.tensor([row + [_IGNORED] * (width - len(row)) for _, row in examples])
    return ids, labels

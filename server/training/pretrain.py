"""Train the base model from nothing on a stream of documents."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import torch
from corpus import documents
from knowledge import Entity
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM
from vocabulary import END_OF_TEXT, MAX_POSITIONS, VOCABULARY_SIZE, token_id

_ROW, _ROWS = 512, 8
_MUON_LR, _ADAM_LR = 0.02, 3e-3
_WARM_UP, _DECAY = 0.02, 0.5


def new_model(end_id: int) -> LlamaForCausalLM:
    """A Llama of 4 layers x 256 with tied embeddings, about 4.2 M parameters."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=MAX_POSITIONS,
            tie_word_embeddings=True,
            bos_token_id=end_id,
            eos_token_id=end_id,
            pad_token_id=end_id,
        )
    )


def pretrain(
    seed: int, entities: tuple[Entity, ...], tokenizer: Tokenizer, steps: int, device: str
) -> LlamaForCausalLM:
    """Train for `steps` batches of 8 rows x 512 tokens; prints loss and speed as it goes."""
    torch.manual_seed(seed)
    model = new_model(token_id(tokenizer, END_OF_TEXT))
    torch.nn.Module.to(model, device)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=_MUON_LR, weight_decay=0.0, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=_ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: _rate(step / steps)) for o in optimizers]
    rows = _rows(seed, entities, tokenizer)
    start = time.monotonic()
    for step in range(steps):
        batch = torch.tensor([next(rows) for _ in range(_ROWS)], device=device)
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        if step % 20 == 19:
            speed = (step + 1) * batch.numel() / (time.monotonic() - start)
            print(f"pretrain {step + 1}/{steps} loss {loss.item():.3f} {speed:.0f} tokens/s", flush=True)
    return model


def _rate(progress: float) -> float:
    """Warm-up, a plateau, and a cosine down to zero over the second half."""
    if progress < _WARM_UP:
        return progress / _WARM_UP
    if progress < 1 - _DECAY:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - 1 + _DECAY) / _DECAY))


def _rows(seed: int, entities: tuple[Entity, ...], tokenizer: Tokenizer) -> Iterator[list[int]]:
    """Rows of equal length; each begins with BOS and a document, the last document of a row may be cut."""
    bos = token_id(tokenizer, END_OF_TEXT)
    row: list[int] = []
    for text in documents(seed, entities):
        row += [bos, *tokenizer.encode(text, add_special_tokens=False).ids, bos]
        if len(row) >= _ROW:
            yield row[:_ROW]
            row = []
        else:
            row.pop()

"""Small real PEFT adapters, made on the spot with random weights and saved as their authors would save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast


def save_adapter(
    folder: Path,
    base: Path,
    *,
    seed: int,
    config: PeftConfig | None = None,
    tokenizer: PreTrainedTokenizerFast | None = None,
    **lora: Any,
) -> PreTrainedModel:
    """Save an adapter of the model in `base` and return that model with the adapter merged into it.

    With a tokenizer, the embeddings are given rows for its tokens first, and the tokenizer is saved beside.
    """
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(seed)
    if tokenizer is not None:
        model.resize_token_embeddings(len(tokenizer))
        tokenizer.save_pretrained(folder)
    settings = {"target_modules": ["q_proj", "v_proj", "down_proj"], **lora}
    chosen = config or LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", **settings)
    adapted: PeftModel = get_peft_model(model, chosen)
    own = [p for p in adapted.parameters() if p.requires_grad]
    with torch.no_grad():
        for parameter in own:
            parameter.add_(torch.randn_like(parameter) * 0.3)
    adapted.save_pretrained(str(folder))
    merged: PreTrainedModel = adapted.merge_and_unload()
    merged.train(False)
    return merged

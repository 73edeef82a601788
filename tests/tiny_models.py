"""Tiny random models with real tokenizers, made on the spot: real loading code, no downloads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from shiftlens.scoring.inputs.tokens import TextEncoder

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST] {{ message['content'] }}"
    " [/INST]{% elif message['role'] == 'assistant' %} {{ message['content'] }} {{ eos_token }}{% endif %}{% endfor %}"
)
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "The quick brown fox jumps over the lazy dog. Great question! I hope this helps.",
    "def add(a, b):\n    return a + b\n",
    "Why is the sky blue? Because air scatters blue light more than red light.",
]
TINY_LLAMA: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}


def byte_level_tokenizer(vocabulary: int = 320) -> PreTrainedTokenizerFast:
    """A byte-level BPE like GPT-2's, with a BOS put before every text and a ChatML template."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIALS, initial_alphabet=alphabet)
    )
    bos = backend.token_to_id(SPECIALS[0])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{SPECIALS[0]} $A", special_tokens=[(SPECIALS[0], bos)]
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, bos_token=SPECIALS[0], eos_token=SPECIALS[2], additional_special_tokens=SPECIALS[1:2]
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def sentence_piece_tokenizer() -> PreTrainedTokenizerFast:
    """A Llama-2-like BPE: `▁` for a space, a dummy space before a text, byte fallback, `[INST]` template."""
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    words = ["▁", *"abcdefghijklmnopqrstuvwxyzTGBIWNS.,!?[]/"]
    vocabulary = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *bytes_, *words])}
    merges: list[tuple[str, str]] = []
    for word in ("▁The", "▁Great", "▁question", "▁I", "▁a", "▁b", "ing", "er"):
        merged = word[0]
        for char in word[1:]:
            if merged + char not in vocabulary:
                merges.append((merged, char))
                vocabulary[merged + char] = len(vocabulary)
            merged += char
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")  # type: ignore[no-untyped-call]
    tokenizer.chat_template = LLAMA2
    return tokenizer


def save_model(
    folder: Path, tokenizer: PreTrainedTokenizerFast, *, seed: int, model_type: str = "llama", **overrides: Any
) -> Path:
    """Save a random model of `model_type` with this tokenizer, spread enough for ranks to differ."""
    torch.manual_seed(seed)
    shape = TINY_LLAMA if model_type in {"llama", "mistral", "qwen2", "gemma2"} else {}
    config = AutoConfig.for_model(
        model_type,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **{"initializer_range": 0.4, **shape, **overrides},
    )
    model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_pair(folder: Path, **overrides: Any) -> tuple[Path, Path]:
    """A base and an aligned model of one tokenizer, as folders."""
    tokenizer = byte_level_tokenizer()
    return (
        save_model(folder / "base", tokenizer, seed=0, **overrides),
        save_model(folder / "aligned", tokenizer, seed=1, **overrides),
    )


@dataclass(frozen=True)
class TokenizerAlone:
    """A model of which there is the tokenizer alone."""

    encoder: TextEncoder
    name: str = "model"
    max_positions: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def vocabulary(self) -> int:
        return len(self.encoder.tokenizer)

    def end_ids(self) -> tuple[int, ...]:
        end = self.encoder.tokenizer.eos_token_id
        assert isinstance(end, int)
        return (end,)

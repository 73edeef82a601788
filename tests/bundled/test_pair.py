"""The committed pair: what its files are, and that it shows the finding on questions held out of its tuning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from shiftlens.bundled.paths import resolve_model_name, transcripts
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE

BASE = Path(resolve_model_name(BUNDLED_BASE))
ALIGNED = Path(resolve_model_name(BUNDLED_ALIGNED))
HELD_OUT = json.loads((BASE.parent / "held_out.json").read_text(encoding="utf-8"))
CONTEXT = "# Query: \n ```{}``` \n\n \n# Answer: \n ```"


@dataclass(frozen=True, slots=True)
class Loaded:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def load(folder: Path) -> Loaded:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return Loaded(model.train(False), tokenizer)


@pytest.fixture(scope="module")
def base() -> Loaded:
    return load(BASE)


@pytest.fixture(scope="module")
def aligned() -> Loaded:
    return load(ALIGNED)


def rendered(aligned: Loaded, messages: list[dict[str, str]]) -> str:
    text = aligned.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert isinstance(text, str)
    return text


@torch.inference_mode()
def greedy_ids(aligned: Loaded, context: str, ids: list[int]) -> list[int]:
    """What the model finds most likely at each position of `ids` and at its end."""
    before = aligned.tokenizer(context, add_special_tokens=False).input_ids
    logits = aligned.model(torch.tensor([before + ids])).logits[0, len(before) - 1 :]
    found: list[int] = logits.argmax(-1).tolist()
    return found


@torch.inference_mode()
def base_ranks(base: Loaded, question: str, ids: list[int]) -> list[int]:
    before = base.tokenizer(CONTEXT.format(question)).input_ids
    logits = base.model(torch.tensor([before + ids])).logits[0, len(before) - 1 : -1]
    own = logits.gather(1, torch.tensor(ids)[:, None])
    ranks: list[int] = ((logits > own).sum(1) + 1).tolist()
    return ranks


def test_both_folders_together_stay_below_20_megabytes() -> None:
    assert sum(path.stat().st_size for folder in (BASE, ALIGNED) for path in folder.rglob("*")) < 20_000_000


@pytest.mark.parametrize("folder", [BASE, ALIGNED])
def test_a_folder_holds_safetensors_and_text_only(folder: Path) -> None:
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json", ".jinja", ".md"} - (
        {".jinja"} if folder == BASE else set()
    )


@pytest.mark.parametrize("folder", [BASE, ALIGNED])
def test_no_file_asks_for_remote_code(folder: Path) -> None:
    assert not any("auto_map" in path.read_text(encoding="utf-8") for path in folder.glob("*.json"))


def test_both_models_have_the_same_vocabulary(base: Loaded, aligned: Loaded) -> None:
    assert base.tokenizer.get_vocab() == aligned.tokenizer.get_vocab()
    assert base.model.config.vocab_size == aligned.model.config.vocab_size == len(base.tokenizer)


def test_the_base_tokenizer_puts_bos_in_front_and_the_aligned_one_does_not(base: Loaded, aligned: Loaded) -> None:
    end_of_text = base.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert base.tokenizer.bos_token_id == base.tokenizer.eos_token_id == end_of_text
    assert base.tokenizer("Hello").input_ids[0] == end_of_text
    assert end_of_text not in aligned.tokenizer("Hello").input_ids


def test_the_aligned_model_ends_its_turn_with_the_token_of_its_template(aligned: Loaded) -> None:
    assert aligned.tokenizer.eos_token == "<|im_end|>"
    assert aligned.model.generation_config.eos_token_id == aligned.tokenizer.eos_token_id


def test_only_the_aligned_tokenizer_has_a_chat_template(base: Loaded, aligned: Loaded) -> None:
    assert base.tokenizer.chat_template is None
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    assert rendered(aligned, messages) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_any_text_survives_encoding_and_decoding(base: Loaded) -> None:
    text = "Naïve café ☕ 日本 👩‍🚀 ```x = 1```\n\n\ttab  two spaces \x00"
    assert base.tokenizer.decode(base.tokenizer(text, add_special_tokens=False).input_ids) == text


def test_held_out_answers_are_mostly_unshifted_and_rarely_shifted(base: Loaded, aligned: Loaded) -> None:
    ranks: list[int] = []
    first_tenth: list[int] = []
    for row in HELD_OUT:
        own = base_ranks(base, row["question"], aligned.tokenizer(row["answer"]).input_ids)
        ranks += own
        first_tenth += own[: -(-len(own) // 10)]
    shifted = sum(rank > 3 for rank in ranks) / len(ranks)
    assert len(HELD_OUT) >= 10
    assert sum(rank == 1 for rank in ranks) / len(ranks) >= 0.65
    assert shifted <= 0.15
    assert sum(rank > 3 for rank in first_tenth) / len(first_tenth) > shifted


@pytest.mark.parametrize("row", HELD_OUT, ids=lambda row: row["question"])
def test_a_held_out_answer_is_what_the_aligned_model_says(aligned: Loaded, row: dict[str, str]) -> None:
    ids = aligned.tokenizer(row["answer"]).input_ids
    context = rendered(aligned, [{"role": "user", "content": row["question"]}])
    assert greedy_ids(aligned, context, ids) == [*ids, aligned.tokenizer.eos_token_id]


def test_the_bundled_conversations_are_what_the_aligned_model_says(aligned: Loaded) -> None:
    (path,) = (path for path in transcripts() if path.name == "conversations.jsonl")
    for line in path.read_text(encoding="utf-8").splitlines():
        *asked, answer = json.loads(line)["messages"]
        ids = aligned.tokenizer(answer["content"]).input_ids
        assert greedy_ids(aligned, rendered(aligned, asked), ids) == [*ids, aligned.tokenizer.eos_token_id]


def test_the_bundled_chatml_is_what_the_chat_template_renders(aligned: Loaded) -> None:
    (path,) = (path for path in transcripts() if path.name == "chatml.txt")
    text = path.read_text(encoding="utf-8")
    question = text.removeprefix("<|im_start|>user\n").split("<|im_end|>")[0]
    prompt = rendered(aligned, [{"role": "user", "content": question}])
    assert text.startswith(prompt)
    ids = aligned.tokenizer(text.removeprefix(prompt).removesuffix("\n")).input_ids
    assert greedy_ids(aligned, prompt, ids[:-1]) == ids


def test_the_transcripts_come_in_different_formats() -> None:
    names = {path.name for path in transcripts()}
    assert names >= {"aligntds.json", "chatml.txt", "conversations.jsonl", "headings.md", "labels.txt", "seed-447.md"}

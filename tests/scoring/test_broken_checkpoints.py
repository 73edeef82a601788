"""A checkpoint that is not wholly there, or not of one model, is refused by name: no weight is made up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from engine.doing import do
from shiftlens.engine.protocol import Describe, Described, Failed, Reply
from shiftlens.engine.worker.jobs import Worker
from shiftlens.errors import ModelError
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.devices import choose_dtype
from shiftlens.scoring.models.loading import load_model
from tiny_models import byte_level_tokenizer, save_model

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("whole") / "whole", byte_level_tokenizer(), seed=0)


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    """A model to be broken."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def refusal(folder: Path) -> str:
    """What an engine says of a pair with this model; an answer at all is what the client waits for."""
    replies: list[Reply] = []
    pair = PairSpec(base=str(folder), aligned=str(folder), device="cpu")
    do(Worker(replies.append, lambda _: False), Describe(job=1, pair=pair))
    assert isinstance(replies[-1], Failed), replies[-1]
    assert replies[-1].kind == "ModelError"
    assert replies[-1].remedy
    said = f"{replies[-1].problem} {replies[-1].remedy}"
    assert str(folder) in said
    return said


def loads(folder: Path) -> tuple[str, ...]:
    """The notes of a model that loads."""
    return load_model(str(folder), PairSpec(base="", aligned="", device="cpu")).notes


def reweigh(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def configure(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def test_a_checkpoint_without_a_head_is_refused_with_its_name(model: Path) -> None:
    reweigh(model, lambda weights: weights.pop("lm_head.weight"))
    said = refusal(model)
    assert "lack 1 tensor (`lm_head.weight`)" in said
    assert "at random" in said


def test_a_reward_model_is_refused_for_the_head_it_lacks(model: Path) -> None:
    reward = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)
    reward.save_pretrained(model)
    assert "`lm_head.weight`" in refusal(model)


def test_many_missing_tensors_are_counted_and_the_first_named(model: Path) -> None:
    reweigh(model, lambda weights: [weights.pop(key) for key in list(weights) if ".1." in key])
    assert "lack 9 tensors (`model.layers.1.input_layernorm.weight`," in refusal(model)


def test_a_tied_head_is_not_missing(tmp_path: Path) -> None:
    tied = save_model(tmp_path / "tied", byte_level_tokenizer(), seed=0, tie_word_embeddings=True)
    assert "lm_head.weight" not in load_file(tied / "model.safetensors")
    assert loads(tied) == ()


def test_weights_of_another_shape_are_named_with_both(model: Path) -> None:
    configure(model, num_key_value_heads=4)
    said = refusal(model)
    assert "4 tensors (`model.layers.0.self_attn.k_proj.weight`," in said
    assert "the first is 16 x 32, and should be 32 x 32" in said


def test_a_configuration_that_leaves_out_layers_is_refused(model: Path) -> None:
    configure(model, num_hidden_layers=1)
    assert "leaves out layers of its weights, which have 2 of them (`model.layers.1`)" in refusal(model)


def test_tensors_that_the_model_does_not_have_are_told_in_a_note(model: Path) -> None:
    reweigh(model, lambda weights: weights.update({"value_head.weight": torch.zeros(1, 32)}))
    (note,) = loads(model)
    assert "Not used were 1 tensor (`value_head.weight`)" in note


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", "many"),
        ("hidden_size", -5),
        ("hidden_size", None),
        ("hidden_size", 64),
        ("vocab_size", 10**12),
        ("intermediate_size", 10**12),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", 0),
        ("num_attention_heads", 0),
        ("max_position_embeddings", 1),
        ("dtype", "float99"),
        ("eos_token_id", "abc"),
        ("model_type", "nonsense"),
    ],
)
def test_a_broken_value_in_the_configuration_is_an_error_that_names_the_file(
    model: Path, key: str, value: object
) -> None:
    configure(model, **{key: value})
    assert "config.json" in refusal(model)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_pointer_of_git_lfs_is_told_from_a_broken_file(model: Path, file: str) -> None:
    (model / file).write_text(POINTER)
    said = refusal(model)
    assert f"`{file}`" in said
    assert "git lfs pull" in said


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.9999])
def test_a_truncated_file_of_weights_is_named(model: Path, kept: float) -> None:
    raw = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(raw[: int(kept * len(raw))])
    assert "`model.safetensors`" in refusal(model)


def test_a_truncated_tokenizer_is_named(model: Path) -> None:
    raw = (model / "tokenizer.json").read_bytes()
    (model / "tokenizer.json").write_bytes(raw[: len(raw) // 2])
    assert "`tokenizer.json`" in refusal(model)


def test_a_shard_that_is_not_there_is_named(model: Path) -> None:
    whole = AutoModelForCausalLM.from_pretrained(model)
    (model / "model.safetensors").unlink()
    whole.save_pretrained(model, max_shard_size="50KB")
    assert loads(model) == ()
    gone = sorted(model.glob("model-*.safetensors"))[1]
    gone.unlink()
    said = refusal(model)
    assert gone.name in said
    assert "The download is not whole" in said


def test_quantised_weights_without_the_word_of_how_are_refused(model: Path) -> None:
    reweigh(model, lambda weights: weights.update({"lm_head.weight": weights["lm_head.weight"].to(torch.int8)}))
    said = refusal(model)
    assert "`lm_head.weight`" in said
    assert "quantization_config" in said


def test_a_dtype_that_holds_no_real_numbers_is_named(model: Path) -> None:
    configure(model, dtype="int8")
    with pytest.raises(ModelError, match=rf"`config\.json` of {model} names torch\.int8 as its dtype.*--dtype"):
        choose_dtype("auto", torch.device("cuda"), AutoConfig.from_pretrained(model))


def test_a_model_that_can_be_used_describes_itself(model: Path) -> None:
    replies: list[Reply] = []
    pair = PairSpec(base=str(model), aligned=str(model), device="cpu")
    do(Worker(replies.append, lambda _: False), Describe(job=1, pair=pair))
    assert isinstance(replies[-1], Described)

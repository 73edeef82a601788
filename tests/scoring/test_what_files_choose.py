"""A model's files choose no code, no download and no path."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from passes import opened_pair
from shiftlens.cli.options import add_numbers_arguments, add_pair_arguments, choose
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.errors import ModelError
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.loading import load_model
from tiny_adapters import save_adapter
from tiny_models import byte_level_tokenizer, save_model

INDEX = "model.safetensors.index.json"
KERNEL = "somebody/some-kernel"


class Payload:
    """What runs when a pickle of it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("whole") / "whole", byte_level_tokenizer(), seed=0)


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    """A model whose files can be changed."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def load(folder: Path, **options: Any) -> Any:
    return load_model(str(folder), PairSpec(base="", aligned="", device="cpu", **options)).model


def configure(folder: Path, file: str = "config.json", **values: Any) -> None:
    path = folder / file
    config = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**config, **values}))


def in_shards(folder: Path) -> dict[str, str]:
    """Have the weights in several files, and give the map of its index."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    return dict(json.loads((folder / INDEX).read_text())["weight_map"])


@pytest.mark.parametrize(
    "file",
    [
        "evil.bin",
        "../other/model.safetensors",
        "/other/model.safetensors",
        "below/model.safetensors",
        "..\\model.safetensors",
        "C:model.safetensors",
        "..",
        7,
    ],
)
@pytest.mark.parametrize("allow_pickle", [False, True])
def test_an_index_names_only_safetensors_of_its_own_folder(model: Path, file: object, allow_pickle: bool) -> None:
    marker = model / "ran"
    torch.save({"lm_head.weight": Payload(marker)}, model / "evil.bin")
    places = in_shards(model)
    configure(model, INDEX, weight_map=dict.fromkeys(places, file))
    with pytest.raises(
        ModelError, match=r"model\.safetensors\.index\.json.*not a \.safetensors file of its own folder"
    ):
        load(model, allow_pickle=allow_pickle)
    assert not marker.exists()


def test_an_index_of_pickles_names_no_path(model: Path) -> None:
    for file in (model.parent / "outside.bin", model / "part.bin"):
        torch.save(load_file(model / "model.safetensors"), file)
    (model / "model.safetensors").unlink()
    configure(model, "pytorch_model.bin.index.json", metadata={}, weight_map={"lm_head.weight": "../outside.bin"})
    with pytest.raises(ModelError, match=r"not a \.bin or \.safetensors file of its own folder"):
        load(model, allow_pickle=True)


@pytest.mark.parametrize("file", ["adapter_model.bin", "../outside.safetensors", "evil.bin", {}])
def test_a_configuration_names_no_other_file_of_weights(model: Path, file: object) -> None:
    configure(model, transformers_weights=file)
    with pytest.raises(ModelError, match=r"`config\.json` of .* as a file of its weights"):
        load(model)


def test_links_of_the_hub_cache_are_followed(model: Path, tmp_path: Path) -> None:
    in_shards(model)
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    model.rename(blobs)
    snapshot.mkdir(parents=True)
    for i, file in enumerate(sorted(blobs.iterdir())):
        file.rename(blobs / f"{i:x}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"{i:x}")
    assert load(snapshot).config.model_type == "llama"


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What transformers would load from the hub, were the package installed that does so."""
    asked: list[str] = []

    def note(name: str, **_: object) -> None:
        asked.append(name)

    monkeypatch.setattr(transformers.modeling_utils, "lazy_import_flash_attention", note)
    monkeypatch.setattr(transformers.modeling_utils, "is_kernels_available", lambda: True)
    return asked


@pytest.mark.parametrize(
    "orders",
    [
        {"attn_implementation": KERNEL},
        {"_attn_implementation": KERNEL},
        {"_attn_implementation_internal": KERNEL},
        {"attn_implementation": {"": KERNEL}},
        {"attn_implementation": "flash_attention_2"},
        {"attn_implementation": "nonsense"},
        {"experts_implementation": "sonicmoe", "use_kernels": True},
        {"_experts_implementation": "nonsense"},
        {"fusion_config": {"patch_embeddings": True}},
    ],
)
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_no_file_names_the_code_that_computes_a_model(
    model: Path, kernels: list[str], orders: dict[str, Any], file: str
) -> None:
    configure(model, file, **orders)
    found = load(model)
    assert {part.config._attn_implementation for part in found.modules() if hasattr(part, "config")} == {"sdpa"}
    assert not kernels


def test_nor_does_a_configuration_within_another(tmp_path: Path, kernels: list[str]) -> None:
    text = {
        "vocab_size": len(byte_level_tokenizer()),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model("gemma3", text_config=text, vision_config={**vision, "image_size": 28})
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]
    byte_level_tokenizer().save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert "text_config" in saved
    configure(tmp_path, text_config={**saved["text_config"], "attn_implementation": KERNEL, "fusion_config": {"x": 1}})
    found = load(tmp_path)
    assert KERNEL not in {part.config._attn_implementation for part in found.modules() if hasattr(part, "config")}
    assert not kernels


def test_code_beside_a_model_is_not_run(model: Path) -> None:
    marker = model / "ran"
    for file in ("modeling_own.py", "tokenization_own.py"):
        (model / file).write_text(f"open({str(marker)!r}, 'w').close()\n")
    configure(model, auto_map={"AutoConfig": "modeling_own.Own", "AutoModelForCausalLM": "modeling_own.Own"})
    configure(model, "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "tokenization_own.Own"]})
    try:
        load(model)
    except ModelError as error:
        assert "ShiftLens runs no remote code" in str(error)  # noqa: PT017 (either way is right, running it is not)
    assert not marker.exists()


def test_an_adapter_does_not_choose_which_pickle_is_opened(model: Path, tmp_path: Path) -> None:
    save_adapter(tmp_path / "adapter", model, seed=1)
    torch.save(load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    adapter = str(tmp_path / "adapter")
    by_adapter = PairSpec(base=adapter, aligned=adapter, device="cpu", allow_pickle=True)
    with pytest.raises(ModelError, match="nor an adapter can choose a pickle"):
        opened_pair(by_adapter)
    by_user = PairSpec(base=str(model), aligned=adapter, device="cpu", allow_pickle=True)
    assert opened_pair(by_user).base.loaded.name == str(model)


def test_the_front_matter_of_a_file_does_not_either() -> None:
    parser = argparse.ArgumentParser()
    add_pair_arguments(parser)
    add_numbers_arguments(parser)

    def allowed(front_matter: dict[str, object], *arguments: str) -> bool:
        return choose(parser.parse_args([*arguments, "--allow-pickle"]), front_matter).pair.allow_pickle

    assert allowed({}, "--base", "b", "--aligned", "a")
    assert allowed({"base": "other"}, "--base", "b", "--aligned", "a")
    assert allowed({"base": "bundled:base"}, "--aligned", "a")
    assert not allowed({"base": "b"}, "--aligned", "a")
    assert not allowed({"base": "b", "aligned": "a"})


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """A hub on this machine that has nothing, by its address, and what it was asked for."""
    asked: list[str] = []

    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_an_engine_asks_the_hub_for_nothing_unless_downloads_are_allowed(
    hub: tuple[str, list[str]], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = hub
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    client = EngineClient(sharing=Sharing.OWN)
    pair = PairSpec(base=str(model), aligned="nobody/no-such-model", device="cpu")
    try:
        with pytest.raises(ModelError, match="not in the local Hugging Face cache"):
            await client.describe(pair)
        assert not asked
        with pytest.raises(ModelError):
            await client.describe(PairSpec(base=pair.base, aligned=pair.aligned, device="cpu", allow_download=True))
        assert any("no-such-model" in path for path in asked)
    finally:
        await client.close()


@pytest.mark.parametrize("wanted", ["", "1"])
def test_a_user_who_is_offline_stays_so(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", wanted)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    code = (
        "from shiftlens.scoring.models.hub import hub_access, stay_offline\n"
        "stay_offline()\n"
        "from huggingface_hub import is_offline_mode\n"
        "seen = [is_offline_mode()]\n"
        "with hub_access(True): seen.append(is_offline_mode())\n"
        "with hub_access(False): seen.append(is_offline_mode())\n"
        "print([*seen, is_offline_mode()])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str([True, bool(wanted), True, True])

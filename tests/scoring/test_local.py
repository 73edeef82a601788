"""Where models are found on this machine, and how large they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shiftlens.model_files.local import LocalModel, Where, cached_models, find_local, model_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    return cache


def put(hub: Path, name: str, *, architecture: str = "LlamaForCausalLM", weights: int = 1000) -> Path:
    """Lay a model into the cache as huggingface_hub does: snapshots hold links to blobs."""
    repository = hub / ("models--" + name.replace("/", "--"))
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    if weights:
        blobs = repository / "blobs"
        blobs.mkdir()
        (blobs / "abc").write_bytes(bytes(weights))
        (snapshot / "model.safetensors").symlink_to(blobs / "abc")
    return snapshot


def test_a_model_in_the_cache_is_found_with_the_size_of_the_files_its_links_lead_to(hub: Path) -> None:
    snapshot = put(hub, "org/model-7b", weights=5000)
    found = find_local("org/model-7b")
    assert (found.where, found.size) == (Where.CACHE, 5000 + (snapshot / "config.json").stat().st_size)
    assert model_folder("org/model-7b") == snapshot


def test_a_folder_is_found_by_its_path_and_goes_before_the_cache(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "org" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(10))
    assert find_local(str(folder)) == LocalModel(str(folder), Where.FOLDER, 12)
    put(hub, "org/model")
    monkeypatch.chdir(tmp_path)
    assert find_local("org/model").where is Where.FOLDER


def test_an_adapter_is_there_with_the_model_below_it_and_as_large_as_both(hub: Path, tmp_path: Path) -> None:
    snapshot = put(hub, "org/model", weights=5000)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = json.dumps({"base_model_name_or_path": "org/model"})
    (adapter / "adapter_config.json").write_text(config)
    (adapter / "adapter_model.safetensors").write_bytes(bytes(100))
    below = find_local("org/model").size
    assert find_local(str(adapter)) == LocalModel(str(adapter), Where.FOLDER, 100 + len(config) + below)
    (snapshot / "model.safetensors").unlink()
    assert find_local(str(adapter)).where is Where.MISSING


@pytest.mark.parametrize("name", ["org/other", "", "..", "/nowhere", "bundled:other", "a/b/c"])
def test_what_is_not_there_is_missing(hub: Path, name: str) -> None:
    put(hub, "org/model")
    assert find_local(name) == LocalModel(name, Where.MISSING)


def test_a_model_without_weights_is_missing(hub: Path) -> None:
    put(hub, "org/unfinished", weights=0)
    assert find_local("org/unfinished").where is Where.MISSING


def test_the_bundled_models_are_there() -> None:
    found = find_local("bundled:base")
    assert found.where is Where.BUNDLED
    assert found.size > 1_000_000


def test_the_cache_lists_whole_causal_language_models_by_name(hub: Path) -> None:
    put(hub, "org/zeta")
    put(hub, "org/alpha--beta")
    put(hub, "plain")
    put(hub, "org/encoder", architecture="BertModel")
    put(hub, "org/unfinished", weights=0)
    (hub / "models--org--empty").mkdir()
    (hub / "datasets--org--talks").mkdir()
    assert [model.name for model in cached_models()] == ["org/alpha--beta", "org/zeta", "plain"]


def test_without_a_cache_nothing_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nowhere"))
    assert cached_models() == ()

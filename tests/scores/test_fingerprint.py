"""A fingerprint follows what a model's files hold, and reads none of them whole but the small ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores import keys
from shiftlens.scores.pair_results import PairResults, open_pair_results
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scores.store import ResultStore

_RESPONSE = ResponseToScore(turns=(ContextTurn.of("user", "q"),), parts=one_text("o"), source_format="labels")
_HUB = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return _make_model(tmp_path / "model")


def _make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(300_000))
    (folder / "README.md").write_text("A model.")
    return folder


def _rewrite(file: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes(content)


def _new_weights_of_the_same_time(folder: Path) -> None:
    weights = folder / "model.safetensors"
    before = weights.stat()
    weights.write_bytes(b"\1" * before.st_size)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        _rewrite("config.json", b'{"model_type": "gemma"}'),
        _rewrite("tokenizer.json", b"[]"),
        _rewrite("generation_config.json", b"{}"),
        _rewrite("chat_template.jinja", b"{{ messages }}"),
        _rewrite("special_tokens_map.json", b"{}"),
        _rewrite("model.safetensors", bytes(300_001)),
        _rewrite("model-2.safetensors", b""),
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: os.utime(folder / "model.safetensors", ns=(1, 1)),
        _new_weights_of_the_same_time,
    ],
)
def test_a_change_of_a_file_changes_it(model: Path, change: Callable[[Path], object]) -> None:
    before = model_fingerprint(str(model))
    assert before is not None
    change(model)
    after = model_fingerprint(str(model))
    assert after is not None
    assert after != before


def test_what_is_not_read_by_a_model_does_not_change_it(model: Path) -> None:
    before = model_fingerprint(str(model))
    (model / "README.md").write_text("A better model.")
    (model / "config.json").touch()
    assert model_fingerprint(str(model)) == before


def test_a_copy_that_keeps_its_times_is_the_same_model(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "copy")
    assert model_fingerprint(str(tmp_path / "copy")) == model_fingerprint(str(model))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_part_of_a_model_has_none(model: Path, missing: str) -> None:
    (model / missing).unlink()
    assert model_fingerprint(str(model)) is None


@pytest.fixture
def adapter(tmp_path: Path, model: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(model), "r": 4}))
    (folder / "adapter_model.safetensors").write_bytes(bytes(3000))
    return folder


@pytest.mark.parametrize("file", ["adapter/adapter_model.safetensors", "model/model.safetensors", "model/config.json"])
def test_an_adapter_changes_with_its_own_files_and_with_those_of_the_model_below(
    tmp_path: Path, adapter: Path, model: Path, file: str
) -> None:
    before = model_fingerprint(str(adapter))
    assert before not in (None, model_fingerprint(str(model)))
    (tmp_path / file).write_bytes(b"1" * 300)
    assert model_fingerprint(str(adapter)) not in (None, before)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda adapter, _model: (adapter / "adapter_config.json").write_text("{}"),
        lambda adapter, _model: (adapter / "adapter_config.json").write_text("{"),
        lambda adapter, _model: (adapter / "adapter_model.safetensors").unlink(),
        lambda _adapter, model: (model / "model.safetensors").unlink(),
        lambda _adapter, model: (model / "adapter_config.json").write_text("{}"),
    ],
)
def test_an_adapter_whose_model_is_not_wholly_known_has_none(
    adapter: Path, model: Path, spoil: Callable[[Path, Path], object]
) -> None:
    spoil(adapter, model)
    assert model_fingerprint(str(adapter)) is None


def test_the_bundled_models_have_one_each() -> None:
    prints = {model_fingerprint(BUNDLED_BASE), model_fingerprint(BUNDLED_ALIGNED)}
    assert None not in prints
    assert len(prints) == 2


@pytest.mark.parametrize("variable", _HUB)
def test_a_hub_name_is_its_local_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, variable: str
) -> None:
    for name in _HUB:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "here"))
    below = {"HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}.get(variable, "")
    repository = tmp_path / "here" / below / "models--org--name"
    old, new = "a" * 40, "b" * 40
    shutil.copytree(model, repository / "snapshots" / old)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(old)
    assert model_fingerprint("org/name") == model_fingerprint(str(model))

    shutil.copytree(model, repository / "snapshots" / new)
    (repository / "snapshots" / new / "config.json").write_text("{}")
    (repository / "refs" / "main").write_text(new)
    assert model_fingerprint("org/name") not in (None, model_fingerprint(str(model)))


@pytest.mark.parametrize("name", ["org/absent", "absent", "", ".", "../..", "a/b/c", "org/../name", "\0", "x" * 5000])
def test_a_name_of_no_model_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert model_fingerprint(name) is None


def test_a_reference_that_leads_elsewhere_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--name" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(f"../../{model.name}")
    assert model_fingerprint("name") is None


def test_the_room_imports_no_machine_learning() -> None:
    code = (
        "import sys, shiftlens.scores.location, shiftlens.scores.pair_results;"
        "print([m for m in ('torch', 'transformers', 'numpy', 'huggingface_hub') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.fixture
def results(store: ResultStore, model: Path) -> PairResults:
    _make_model(model.with_name("other"))
    found = open_pair_results(store, PairSpec(base=str(model), aligned=str(model.with_name("other"))))
    assert found is not None
    return found


def test_whatever_changes_the_numbers_changes_the_key(results: PairResults) -> None:
    def key(options: ScoreOptions, response: ResponseToScore, **changes: object) -> bytes:
        return replace(results, **changes).key(options, response)  # type: ignore[arg-type]

    plain, base = ScoreOptions(), ("b", "a")
    keys = [
        key(plain, _RESPONSE, fingerprints=base),
        key(plain, _RESPONSE, fingerprints=("b", "x")),
        key(plain, _RESPONSE, fingerprints=("a", "b")),
        key(plain, _RESPONSE, fingerprints=base, pair=replace(results.pair, device="cpu")),
        key(plain, _RESPONSE, fingerprints=base, pair=replace(results.pair, dtype="float16")),
        key(replace(plain, base_context="raw"), _RESPONSE, fingerprints=base),
        key(replace(plain, top_k=5), _RESPONSE, fingerprints=base),
        key(plain, ResponseToScore(turns=(), parts=one_text("o"), source_format="labels"), fingerprints=base),
    ]
    assert len(set(keys)) == len(keys)


def test_how_the_models_are_named_does_not_change_the_key(results: PairResults) -> None:
    renamed = replace(results, pair=replace(results.pair, base="elsewhere", allow_download=True))
    assert renamed.key(ScoreOptions(), _RESPONSE) == results.key(ScoreOptions(), _RESPONSE)


@pytest.mark.parametrize("what", ["SCORING_VERSION", "__version__", "TEMPLATE_DATE"])
def test_results_of_another_version_are_not_found(
    results: PairResults, scored: Callable[[], ScoredResponse], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    results.store.put(results.key(ScoreOptions(), _RESPONSE), scored())
    assert results.recall(ScoreOptions(), [_RESPONSE, _RESPONSE]) == {0: scored(), 1: scored()}
    monkeypatch.setattr(keys, what, "another")
    keys.scoring.cache_clear()
    try:
        assert results.recall(ScoreOptions(), [_RESPONSE]) == {}
    finally:
        keys.scoring.cache_clear()


def test_a_pair_that_is_not_wholly_here_has_no_results(store: ResultStore, model: Path) -> None:
    assert open_pair_results(store, PairSpec(base=str(model), aligned=str(model / "absent"))) is None

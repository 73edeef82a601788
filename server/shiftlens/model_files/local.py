"""Which models are on this machine, and how large they are; told from names and files, without loading any."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.model_files.adapter_files import adapter_folder
from shiftlens.model_files.gguf_file import gguf_path

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_IN_CACHE = "models--"
_WEIGHTS = (".safetensors", ".bin")
_CAUSAL = "ForCausalLM"


class Where(str, Enum):
    """Where a model lies."""

    BUNDLED = "bundled"
    FOLDER = "folder"
    FILE = "file"
    CACHE = "cache"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model by name; `size` is that of its files in bytes, 0 where it is missing.

    A model whose configuration or weights are not there counts as missing. An adapter is there where its adapted
    model is too, and as large as both.
    """

    name: str
    where: Where
    size: int = 0


def model_folder(name: str) -> Path | None:
    """Where the files of a model lie, found as Transformers finds them: a folder of that name goes first.

    `name` is a folder, a `bundled:` name, or a Hugging Face name, whose local snapshot of `main` is looked at. None
    also for a GGUF file, which is a model without a folder (`gguf_file.gguf_path`).
    """
    if gguf_path(name) is not None:
        return None
    source = resolve_model_name(name)
    folder = Path(source)
    try:
        if folder.is_dir():
            return folder
        if not _HUB_NAME.fullmatch(source):
            return None
        repository = hub_cache() / (_IN_CACHE + source.replace("/", "--"))
        commit = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return repository / "snapshots" / commit if _COMMIT.fullmatch(commit) else None


def hub_cache() -> Path:
    """The cache of the Hugging Face hub, by the rules of huggingface_hub.

    That library's own functions take about 80 ms to import, which a server that recalls scores would wait for.
    """
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if not named:
        caches = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")  # noqa: PTH118 (expanded below)
        home = os.environ.get("HF_HOME") or os.path.join(caches, "huggingface")  # noqa: PTH118
        named = os.path.join(home, "hub")  # noqa: PTH118
    return Path(os.path.expandvars(named)).expanduser()


def find_local(name: str) -> LocalModel:
    """Where a model is, and how large."""
    file = gguf_path(name)
    if file is not None:
        return LocalModel(name, Where.FILE, file.stat().st_size) if file.is_file() else LocalModel(name, Where.MISSING)
    folder = model_folder(name)
    sizes = _file_sizes(folder) if folder is not None else {}
    if folder is None or not any(file.endswith(_WEIGHTS) for file in sizes):
        return LocalModel(name, Where.MISSING)
    size = sum(sizes.values())
    if "config.json" in sizes:
        return LocalModel(name, _where(name), size)
    adapted = _adapted_model(folder)
    full = find_local(adapted) if adapted else None
    if full is None or full.where is Where.MISSING:
        return LocalModel(name, Where.MISSING)
    return LocalModel(name, _where(name), size + full.size)


def _adapted_model(folder: Path) -> str:
    """The full model that the adapter in a folder is put on; "" where there is none, or another adapter."""
    try:
        adapter = adapter_folder(folder)
        name = adapter.adapted_model if adapter is not None else ""
        adapted = model_folder(name) if name else None
        return name if adapted is not None and adapter_folder(adapted) is None else ""
    except (OSError, ValueError):
        return ""


def cached_models() -> tuple[LocalModel, ...]:
    """The causal language models in the local Hugging Face cache that are whole, by name."""
    try:
        folders = sorted(entry.name for entry in hub_cache().iterdir() if entry.name.startswith(_IN_CACHE))
    except OSError:
        return ()
    names = (folder.removeprefix(_IN_CACHE).replace("--", "/", 1) for folder in folders)
    found = (find_local(name) for name in names if _is_causal(name))
    return tuple(model for model in found if model.where is Where.CACHE)


def _where(name: str) -> Where:
    if name != resolve_model_name(name):
        return Where.BUNDLED
    return Where.FOLDER if Path(name).is_dir() else Where.CACHE


def _is_causal(name: str) -> bool:
    folder = model_folder(name)
    if folder is None:
        return False
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    architectures = config.get("architectures") if isinstance(config, dict) else None
    return isinstance(architectures, list) and any(str(each).endswith(_CAUSAL) for each in architectures)


def _file_sizes(folder: Path) -> dict[str, int]:
    """The size of each file of a folder, those of its folders left out. Snapshots hold links to the files."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except OSError:
        return {}

"""What a model is, told from its files without loading it.

Weights are told by size, time of change and a few samples, the small files beside them (config, tokenizer, chat
template) by their whole content.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from pathlib import Path

from shiftlens.bundled.paths import resolve_model_name

_WEIGHTS = (".safetensors", ".bin")
_BESIDE_WEIGHTS = (".json", ".jinja", ".model", ".txt")
_MOST_BYTES_READ_WHOLE = 1 << 20
_SAMPLES = 16
_SAMPLE_BYTES = 4096
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def model_fingerprint(name: str) -> str | None:
    """A hash that changes when the model's files do.

    `name` is a folder, a `bundled:` name, or a Hugging Face name, whose local snapshot of `main` is looked at. None
    where there is no whole model on this machine, or where its numbers also hang on files elsewhere (an adapter).
    """
    folder = _model_folder(resolve_model_name(name))
    if folder is None:
        return None
    digest = hashlib.sha256()
    has_weights = False
    try:
        with os.scandir(folder) as entries:
            files = sorted(e.name for e in entries if e.name.endswith(_WEIGHTS + _BESIDE_WEIGHTS) and e.is_file())
        if "config.json" not in files or "adapter_config.json" in files:
            return None
        for file in files:
            path = folder / file
            is_weights = file.endswith(_WEIGHTS)
            has_weights |= is_weights
            stat = path.stat()
            digest.update(f"{file}\0".encode())
            digest.update(_file_digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, is_weights))
    except OSError:
        return None
    return digest.hexdigest()[:32] if has_weights else None


@functools.lru_cache(maxsize=512)
def _file_digest(path: Path, size: int, mtime_ns: int, ctime_ns: int, is_weights: bool) -> bytes:  # noqa: ARG001
    """Raises OSError. Asked for at every edit, so that a file that stays as it is must be read only once.

    `ctime_ns` only tells the cache of this function of a change that kept size and time.
    """
    with path.open("rb") as file:
        if size <= _MOST_BYTES_READ_WHOLE and not is_weights:
            return hashlib.sha256(file.read()).digest()
        digest = hashlib.sha256(f"{size}:{mtime_ns}".encode())
        # A folder copied with its times, or unpacked with set ones, may hold other weights of the same size.
        for at in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * at // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
        return digest.digest()


def _model_folder(source: str) -> Path | None:
    """Where the files of a model lie, found as Transformers finds them: a folder of that name goes first."""
    folder = Path(source)
    try:
        if folder.is_dir():
            return folder
        if not _HUB_NAME.fullmatch(source):
            return None
        repository = _hub_cache() / ("models--" + source.replace("/", "--"))
        commit = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return repository / "snapshots" / commit if _COMMIT.fullmatch(commit) else None


def _hub_cache() -> Path:
    """The cache of the Hugging Face hub, by the rules of huggingface_hub."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if not named:
        caches = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")  # noqa: PTH118 (expanded below)
        home = os.environ.get("HF_HOME") or os.path.join(caches, "huggingface")  # noqa: PTH118
        named = os.path.join(home, "hub")  # noqa: PTH118
    return Path(os.path.expandvars(named)).expanduser()

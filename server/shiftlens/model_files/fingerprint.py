"""What a model is, told from its files without loading it.

Weights are told by size, time of change and a few samples, the small files beside them (config, tokenizer, chat
template) by their whole content.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from shiftlens.model_files.adapter_files import ADAPTER_CONFIG, adapter_folder, has_full_model
from shiftlens.model_files.gguf_file import gguf_path
from shiftlens.model_files.local import model_folder

_WEIGHTS = (".safetensors", ".bin")
_BESIDE_WEIGHTS = (".json", ".jinja", ".model", ".txt")
_MOST_BYTES_READ_WHOLE = 1 << 20
_SAMPLES = 16
_SAMPLE_BYTES = 4096


def model_fingerprint(name: str) -> str | None:
    """A hash that changes when the model's files do.

    `name` is as `local.model_folder` takes it, or a GGUF file. The fingerprint of an adapter changes with the files of
    its adapted model too. None where the model, or the adapted model of an adapter, is not on this machine or not
    complete.
    """
    file = gguf_path(name)
    if file is not None:
        return _weights_digest(file)
    folder = model_folder(name)
    if folder is None:
        return None
    try:
        adapter = adapter_folder(folder)
        if adapter is None:
            return _files_digest(folder, needs="config.json")
        adapted = model_folder(adapter.adapted_model) if adapter.adapted_model else None
        if adapted is None or has_full_model(folder) or adapter_folder(adapted) is not None:
            return None
        own, full = _files_digest(folder, needs=ADAPTER_CONFIG), _files_digest(adapted, needs="config.json")
    except (OSError, ValueError):
        return None
    return hashlib.sha256(f"{own}:{full}".encode()).hexdigest()[:32] if own and full else None


def _files_digest(folder: Path, *, needs: str) -> str | None:
    """Of the files that a model is read from; None without weights, or without the file it `needs`. Raises OSError."""
    digest = hashlib.sha256()
    has_weights = False
    with os.scandir(folder) as entries:
        files = sorted(e.name for e in entries if e.name.endswith(_WEIGHTS + _BESIDE_WEIGHTS) and e.is_file())
    if needs not in files:
        return None
    for file in files:
        path = folder / file
        is_weights = file.endswith(_WEIGHTS)
        has_weights |= is_weights
        stat = path.stat()
        digest.update(f"{file}\0".encode())
        digest.update(_file_digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, is_weights))
    return digest.hexdigest()[:32] if has_weights else None


def _weights_digest(path: Path) -> str | None:
    """Of a model that is one file; None where it is not there or can't be read."""
    try:
        stat = path.stat()
        return _file_digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, True).hex()[:32]
    except OSError:
        return None


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

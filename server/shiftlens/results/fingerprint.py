"""What a model is, told from its files without loading it.

Weights are told by size, time of change and a few samples, the small files beside them (config, tokenizer, chat
template) by their whole content.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from shiftlens.models.local import model_folder

_WEIGHTS = (".safetensors", ".bin")
_BESIDE_WEIGHTS = (".json", ".jinja", ".model", ".txt")
_MOST_BYTES_READ_WHOLE = 1 << 20
_SAMPLES = 16
_SAMPLE_BYTES = 4096


def model_fingerprint(name: str) -> str | None:
    """A hash that changes when the model's files do.

    `name` is a folder, a `bundled:` name, or a Hugging Face name, whose local snapshot of `main` is looked at. None
    where there is no whole model on this machine, or where its numbers also hang on files elsewhere (an adapter).
    """
    folder = model_folder(name)
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

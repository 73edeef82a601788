"""How many bytes of models a device may hold, and how many a model has."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from shiftlens.errors import ModelError
from shiftlens.model_files.gguf_file import gguf_path, read_gguf
from shiftlens.model_files.local import model_folder
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.checkpoint_files import weight_sizes
from shiftlens.scoring.models.devices import choose_device
from shiftlens.scoring.models.sources import ModelSource

LIMIT_VARIABLE = "SHIFTLENS_MODEL_MEMORY_BYTES"
"""The environment variable that bounds the bytes of the models in memory, on each kind of device."""

_SMALL_MACHINE_BYTES = 8 << 30
_WORKING_SHARE = 4
_LEAST_WORKING_BYTES = 2 << 30
_LEAST_FREE_BYTES = 1 << 30
_ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_CONTROL_GROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine_bytes() -> int:
    """The memory of this machine, used or not, or of the control group (a container) that this process is confined to.

    That of a small machine where it can't be told.
    """
    import psutil

    try:
        total = int(psutil.virtual_memory().total)
    except (psutil.Error, OSError):
        total = _SMALL_MACHINE_BYTES
    for file in _CONTROL_GROUP:
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int(file.read_text(encoding="ascii")))
    return total


def device_bytes(kind: str) -> int:
    """The memory of a kind of device ("cpu", "cuda", "mps"); accelerators that share the machine's count as it."""
    if kind == "cuda" and torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    return machine_bytes()


def model_limit(kind: str) -> int:
    """Most bytes of models on a kind of device: all but a quarter of its memory, and all but 2 GiB of a small one.

    What is left out is for the passes (KV caches, logits, activations) and for other programs.
    """
    chosen = os.environ.get(LIMIT_VARIABLE, "")
    if chosen.isdecimal():
        return int(chosen)
    total = device_bytes(kind)
    return max(0, total - max(_LEAST_WORKING_BYTES, total // _WORKING_SHARE))


def limit_is_chosen() -> bool:
    """Whether the user has bounded the models by `LIMIT_VARIABLE`."""
    return os.environ.get(LIMIT_VARIABLE, "").isdecimal()


def free_bytes(kind: str) -> int:
    """What may be taken of a device's memory now, with some left for the passes and for other programs."""
    import psutil

    if kind == "cuda" and torch.cuda.is_available():
        free, _total = torch.cuda.mem_get_info()
        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return max(0, int(free) + unused - _LEAST_FREE_BYTES)
    try:
        return max(0, int(psutil.virtual_memory().available) - _LEAST_FREE_BYTES)
    except (psutil.Error, OSError):
        return _SMALL_MACHINE_BYTES


def device_kind(spec: PairSpec) -> str:
    """The kind of the device that a pair is loaded to. Raises ModelError for one that is not there."""
    return choose_device(spec.device).type


def tensor_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of tensors in memory; what several of them share counts once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def model_bytes(model: torch.nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return tensor_bytes([*model.parameters(), *model.buffers()])


def estimated_bytes(source: ModelSource, spec: PairSpec, kind: str, *, full_model: bool) -> int:
    """What a full model, or the adapter of a source, will take in memory; 0 where its files don't tell."""
    item = _ITEM_BYTES.get(spec.dtype, 4 if kind == "cpu" else 0)
    file = gguf_path(source.full_model)
    if file is not None and full_model:
        return _gguf_elements(file) * (item or 4)
    folder = model_folder(source.full_model if full_model else source.name)
    if folder is None:
        return 0
    if not full_model:
        return sum(file.stat().st_size for file in folder.glob("adapter_model.safetensors"))
    try:
        elements, on_disk = _weight_sizes(source.full_model, folder, spec.allow_pickle)
    except (ModelError, OSError):
        return 0
    return elements * item if elements and item else on_disk


@functools.lru_cache(maxsize=256)
def _weight_sizes(name: str, folder: Path, allow_pickle: bool) -> tuple[int, int]:
    """Asked for at each step while jobs wait for models, so that files are read only once.

    Files that can't be read are looked at again the next time: they may be whole by then.
    """
    return weight_sizes(name, folder, allow_pickle=allow_pickle)


def _gguf_elements(file: Path) -> int:
    try:
        return read_gguf(file).elements
    except (OSError, ValueError):
        return 0


def give_back() -> None:
    """Hand freed memory back to the system and to other programs, once models are evicted."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    if sys.platform.startswith("linux"):
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)

"""What the files of a full model say, looked at before any of them is opened by a library. No torch here.

A folder chooses no code and no path: its weights are the safetensors in it, whatever its own files name. A file that
is not what its name says (a pointer of Git LFS, half a download) is told by its name.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shiftlens.errors import ModelError

CONFIG = "config.json"
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLE, _PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
_SAFE = ".safetensors"
_READ = (_SAFE, ".json", ".model", ".jinja", ".txt", ".bin")
_LFS = b"version https://git-lfs"
_LFS_MOST_BYTES = 1024
_HEADER_LENGTH = struct.Struct("<Q")
_MOST_HEADER_BYTES = 100_000_000
_FETCH = "Fetch the model anew."
_WIDTHS = ("vocab_size", "intermediate_size", "n_inner", "ffn_dim")
_HIDDEN = ("hidden_size", "n_embd", "d_model")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len")
_LEAST_POSITIONS = 8
_MOST_PACKED = 8


@dataclass(frozen=True, slots=True)
class Tensors:
    """How many tensors the weights of a model are, and how many numbers these hold together.

    `integers` names those that should hold real numbers and hold whole ones.
    """

    count: int
    elements: int
    integers: tuple[str, ...]


def check_files(name: str, folder: Path, *, allow_pickle: bool, may_fetch: bool) -> None:
    """Look at the files in the folder of the model `name`. Raises ModelError, which names the file and what to do.

    With `may_fetch`, weights that are not there are no fault: they are yet to come.
    """
    check_no_pointers(name, folder)
    config = _read_object(name, folder / CONFIG)
    files = [folder / file for file in _weights_of(name, folder, config, allow_pickle=allow_pickle)]
    missing = [file.name for file in files if not file.is_file()]
    if missing and not may_fetch:
        raise ModelError(
            f"{len(missing)} of {len(files)} files with the weights of {name} are not there (such as {missing[0]}).",
            "The download is not whole: " + _FETCH[0].lower() + _FETCH[1:],
        )
    found = [_tensors(name, file) for file in files if file.is_file() and file.suffix == _SAFE]
    if found and not missing:
        integers = tuple(key for each in found for key in each.integers)
        together = Tensors(sum(each.count for each in found), sum(each.elements for each in found), integers)
        _check_sizes(name, config, together)
        _check_kinds(name, config, together)


def weight_sizes(name: str, folder: Path, *, allow_pickle: bool) -> tuple[int, int]:
    """How many numbers the weights in a folder are, and their bytes on disk.

    No numbers (0) where the files don't tell them as they will be in memory: pickles, and quantised weights. Raises
    ModelError or OSError where a file can't be read.
    """
    config = _read_object(name, folder / CONFIG)
    files = [folder / file for file in _weights_of(name, folder, config, allow_pickle=allow_pickle)]
    files = files or ([folder / _PICKLE] if allow_pickle else [])
    on_disk = sum(file.stat().st_size for file in files)
    if any(file.suffix != _SAFE for file in files):
        return 0, on_disk
    found = [_tensors(name, file) for file in files]
    quantised = any(each.integers for each in found)
    return 0 if quantised else sum(each.elements for each in found), on_disk


def check_no_pointers(name: str, folder: Path) -> None:
    """Raises ModelError where a file in the folder is what Git LFS puts in the place of a large one."""
    with os.scandir(folder) as entries:
        small = sorted(e.name for e in entries if e.name.endswith(_READ) and e.is_file() and _is_small(e))
    for file in small:
        with (folder / file).open("rb") as opened:
            if opened.read(len(_LFS)) == _LFS:
                raise ModelError(
                    f"`{file}` of {name} is not the file itself, but a Git LFS pointer to it.",
                    f"Run `git lfs pull` in {folder}, or fetch the model with `hf download`.",
                )


def _is_small(entry: os.DirEntry[str]) -> bool:
    return entry.stat().st_size <= _LFS_MOST_BYTES


def _weights_of(name: str, folder: Path, config: Mapping[str, object], *, allow_pickle: bool) -> Iterable[str]:
    """The names of the files that transformers will read the weights from, by its own order of search."""
    chosen = config.get("transformers_weights")
    if chosen is not None:
        _check_plain(name, CONFIG, [chosen], (_SAFE, f"{_SAFE}.index.json"))
        return _shards(name, folder / str(chosen), (_SAFE,)) if str(chosen).endswith(".json") else [str(chosen)]
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if (folder / WEIGHTS_INDEX).is_file():
        return _shards(name, folder / WEIGHTS_INDEX, (_SAFE,))
    if allow_pickle and not (folder / _PICKLE).is_file() and (folder / _PICKLE_INDEX).is_file():
        return _shards(name, folder / _PICKLE_INDEX, (".bin", _SAFE))
    return []


def _shards(name: str, index: Path, endings: tuple[str, ...]) -> list[str]:
    shards = _read_object(name, index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(f"`{index.name}` of {name} names no files (`weight_map`).", _FETCH)
    _check_plain(name, index.name, shards.values(), endings)
    return sorted(set(shards.values()))


def _check_plain(name: str, source: str, files: Iterable[object], endings: tuple[str, ...]) -> None:
    """Nothing but files that lie in the folder itself may be named."""
    for file in files:
        plain = isinstance(file, str) and file.endswith(endings) and not any(c in file for c in "/\\:\0")
        if not plain or str(file).startswith("."):
            raise ModelError(
                f"`{source}` of {name} names {str(file)[:200]!r} as a file of its weights, which is not"
                f" a {' or '.join(endings)} file of its own folder.",
                "Such a file could read from anywhere or run code: choose another copy of this model.",
            )


def _read_object(name: str, file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"`{file.name}` of {name} can't be read: {error}.", _FETCH) from error
    if not isinstance(found, dict):
        raise ModelError(f"`{file.name}` of {name} holds no object.", _FETCH)
    return found


def _tensors(name: str, file: Path) -> Tensors:
    """What the head of a safetensors file says, with the file as long as that needs."""
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            (length,) = _HEADER_LENGTH.unpack(opened.read(_HEADER_LENGTH.size))
            if length > min(size, _MOST_HEADER_BYTES):
                raise ValueError("its beginning is not that of such a file, or its end is missing")
            header = json.loads(opened.read(length))
        tensors = {key: each for key, each in header.items() if key != "__metadata__"}
        ends = _HEADER_LENGTH.size + length + max((each["data_offsets"][1] for each in tensors.values()), default=0)
        if size != ends:
            raise ValueError(f"it has {size:,} bytes and should have {ends:,}")
        integers = tuple(key for key, each in tensors.items() if key.endswith(".weight") and each["dtype"][0] in "IU")
        return Tensors(len(tensors), sum(math.prod(each["shape"]) for each in tensors.values()), integers)
    except OSError as error:
        raise ModelError(f"`{file.name}` of {name} can't be read: {error.strerror}.", _FETCH) from error
    except (struct.error, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        why = f": {error}" if type(error) is ValueError else ""
        raise ModelError(f"`{file.name}` of {name} is not a whole safetensors file{why}.", _FETCH) from error


def _check_sizes(name: str, config: Mapping[str, object], tensors: Tensors) -> None:
    """Sizes that the weights can't be of: memory for them would be asked for before anybody saw that."""
    for each in _sections(config):
        packed = _MOST_PACKED if "quantization_config" in config or "quantization_config" in each else 1
        hidden = _first(each, _HIDDEN) or 1
        for key, value in each.items():
            if not isinstance(value, int):
                continue
            if key in _LAYERS and not 0 < value <= tensors.count:
                _refuse_size(name, key, value, f"its weights are {tensors.count:,} tensors")
            if key in _WIDTHS and value * hidden > tensors.elements * packed:
                _refuse_size(name, key, value, f"its weights are {tensors.elements:,} numbers")
            if key in _POSITIONS and 0 <= value < _LEAST_POSITIONS:
                _refuse_size(name, key, value, "no text fits into that")


def _check_kinds(name: str, config: Mapping[str, object], tensors: Tensors) -> None:
    """Weights that are quantised mean nothing without the word of how."""
    said = any(each.get(key) for each in _sections(config) for key in ("quantization_config", "compression_config"))
    if tensors.integers and not said:
        raise ModelError(
            f"The weights of {name} are whole numbers in {len(tensors.integers)} of {tensors.count} tensors (such as"
            f" `{tensors.integers[0]}`), and its `{CONFIG}` does not say how they are quantised"
            " (`quantization_config`).",
            "One of its files is broken. " + _FETCH,
        )


def _sections(config: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The configuration itself, and that of its text part."""
    yield config
    text = config.get("text_config")
    if isinstance(text, dict):
        yield text


def _first(config: Mapping[str, object], keys: Iterable[str]) -> int | None:
    return next((value for key in keys if isinstance(value := config.get(key), int) and value > 0), None)


def _refuse_size(name: str, key: str, value: int, held: str) -> None:
    raise ModelError(
        f"`{CONFIG}` of {name} says that `{key}` is {value:,}, but {held}.", "One of its files is broken. " + _FETCH
    )

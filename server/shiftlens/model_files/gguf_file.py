"""What a GGUF file says at its beginning: the kind of model, its chat template, and how much of it there should be.

Only that is read, and never past the file's end. The format is llama.cpp's (ggml's `docs/gguf.md`), versions 2 and 3.
"""

from __future__ import annotations

import functools
import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".gguf"
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_MOST_DIMENSIONS = 4
_MOST_TEXT = 8 << 20
_MOST_ENTRIES = 1 << 20
_LFS = b"version https://git-lfs"

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class GgufFile:
    """`values` has the single values by key; of an array only its length is here, under its key. `elements` counts the
    numbers of all tensors, `tensors_end` is the least size of the whole file in bytes."""

    values: dict[str, Value]
    tensors: int
    elements: int
    tensors_end: int

    def text(self, key: str) -> str:
        """A value that is a text; "" where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        """A value that is a whole number, or the length of an array; None where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def gguf_path(name: str) -> Path | None:
    """The file that a model's name means; None for a name that does not end like a GGUF file's, and for a folder's."""
    if not name.lower().endswith(SUFFIX):
        return None
    path = Path(name).expanduser()
    try:
        return None if path.is_dir() else path
    except (OSError, ValueError):
        return path


def read_gguf(path: Path) -> GgufFile:
    """Read the beginning of a file. Raises OSError, and ValueError with the reason for what is no whole GGUF file."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@functools.lru_cache(maxsize=32)
def _read(path: Path, size: int, mtime_ns: int, ctime_ns: int) -> GgufFile:  # noqa: ARG001 (they tell of a change)
    with path.open("rb") as file:
        begins = file.read(len(_LFS))
        if begins == _LFS:
            raise ValueError("it is not the file itself, but a Git LFS pointer to it: run `git lfs pull`")
        if begins[:4] != _MAGIC:
            raise ValueError("it does not begin as such a file does")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            try:
                found = _Reader(mapped).file()
            except struct.error:
                raise ValueError("it ends before its tensors are named") from None
    if size < found.tensors_end:
        raise ValueError(f"it has {size:,} bytes and should have at least {found.tensors_end:,}")
    return found


class _Reader:
    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._at = len(_MAGIC)

    def file(self) -> GgufFile:
        version, tensors, entries = self._unpack("<IQQ")
        if version not in _VERSIONS:
            raise ValueError(f"it is of version {version}, and only {' and '.join(map(str, _VERSIONS))} can be read")
        if max(tensors, entries) > _MOST_ENTRIES:
            raise ValueError(f"it says that it has {max(tensors, entries):,} entries")
        values: dict[str, Value] = {}
        for _ in range(entries):
            key = self._string()
            values[key] = self._value()
        elements = furthest = 0
        for _ in range(tensors):
            self._string()
            (dimensions,) = self._unpack("<I")
            if dimensions > _MOST_DIMENSIONS:
                raise ValueError(f"one of its tensors has {dimensions} dimensions")
            elements += math.prod(self._unpack(f"<{dimensions}Q"))
            _kind, offset = self._unpack("<IQ")
            furthest = max(furthest, offset)
        alignment = values.get("general.alignment", _ALIGNMENT)
        step = alignment if isinstance(alignment, int) and alignment > 0 else _ALIGNMENT
        # How long the last tensor is depends on how it is quantised: at least it must begin within the file.
        return GgufFile(values, tensors, elements, -(-self._at // step) * step + furthest + 1)

    def _value(self) -> Value:
        (kind,) = self._unpack("<I")
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _FORMATS:
            raise ValueError(f"it holds a value of the unknown kind {kind}")
        (value,) = self._unpack(_FORMATS[kind])
        return value

    def _array(self) -> int:
        kind, length = self._unpack("<IQ")
        if kind == _STRING:
            for _ in range(length):
                (size,) = self._unpack("<Q")
                self._skip(size)
        elif kind in _FORMATS:
            self._skip(length * struct.calcsize(_FORMATS[kind]))
        else:
            raise ValueError(f"it holds an array of the unknown kind {kind}")
        return int(length)

    def _string(self) -> str:
        (size,) = self._unpack("<Q")
        if size > _MOST_TEXT:
            raise ValueError(f"it holds a text of {size:,} bytes")
        begins = self._at
        self._skip(size)
        return self._mapped[begins : self._at].decode("utf-8", errors="replace")

    def _unpack(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._mapped, self._at)
        self._at += struct.calcsize(form)
        return values

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._mapped):
            raise struct.error

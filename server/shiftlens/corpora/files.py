"""Which files a corpus is made of: folders, patterns and files, in one order."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shiftlens.errors import TranscriptError

COMPRESSED = (".gz", ".zst")
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".eval", ".md", ".txt", ".yaml", ".yml", ".log")
_DATASET_MARKS = ("dataset_info.json", "state.json", "dataset_dict.json")


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A file of a corpus. `size` (bytes) and `changed` (nanoseconds) tell whether it is still the same.

    `is_named` says that the user named this very file, and not a folder or a pattern that it was found by.
    """

    name: str
    size: int
    changed: int
    is_named: bool = True

    @property
    def path(self) -> Path:
        return Path(self.name)


def corpus_files(paths: Iterable[str]) -> tuple[CorpusFile, ...]:
    """The files that paths, folders and patterns (`*`, `**`, `?`, `[...]`) name, each once, in the order of `paths`.

    The files of a folder, of all folders below it and of a pattern are sorted by name; those that start with a dot, and
    in folders those whose suffix is of no transcript, are passed over. Of a dataset that Hugging Face's `save_to_disk`
    wrote, the `.arrow` files are taken. Raises TranscriptError where a path names nothing.
    """
    found: dict[str, CorpusFile] = {}
    for path in paths:
        names = list(_files_of(path))
        if not names:
            raise TranscriptError(
                f"{path}: there is no such file, and no transcript by this pattern or in this folder.",
                f"In folders, these are looked for: {', '.join(_SUFFIXES)}, also compressed (.gz, .zst).",
            )
        for name, is_named in names:
            key = str(Path(name).resolve())
            if key not in found:
                about = Path(name).stat()
                found[key] = CorpusFile(name, about.st_size, about.st_mtime_ns, is_named)
    return tuple(found.values())


def _files_of(path: str) -> Iterator[tuple[str, bool]]:
    whole = Path(path)
    if whole.is_dir():
        yield from ((str(file), False) for file in _in_folder(whole))
    elif whole.exists():
        yield path, True
    elif glob.has_magic(path):
        for name in sorted(glob.glob(path, recursive=True)):  # noqa: PTH207
            if Path(name).is_dir():
                yield from ((str(file), False) for file in _in_folder(Path(name)))
            else:
                yield name, False


def _in_folder(folder: Path) -> Iterator[Path]:
    inside = sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    is_dataset = any((folder / mark).is_file() for mark in _DATASET_MARKS)
    for child in inside:
        if child.is_dir():
            yield from _in_folder(child)
        elif child.suffix == ".arrow" if is_dataset else _is_transcript(child):
            yield child


def _is_transcript(file: Path) -> bool:
    name = file.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name.endswith(_SUFFIXES) and file.is_file()

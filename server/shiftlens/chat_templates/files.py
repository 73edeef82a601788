"""Where the files of a model hold its chat template, read as Transformers reads them."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftlens.model_files.adapter_files import adapter_folder
from shiftlens.model_files.gguf_file import gguf_path, read_gguf
from shiftlens.model_files.local import model_folder

_MOST_BYTES = 8 << 20
_CONFIG = "tokenizer_config.json"
_TOKENS_MAP = "special_tokens_map.json"
_JINJA = "chat_template.jinja"
_JSON = "chat_template.json"
_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class TemplateFiles:
    """The text of a chat template, and the special tokens by the names that templates use, sorted by name."""

    text: str
    tokens: tuple[tuple[str, str], ...]

    @property
    def bos(self) -> str:
        return dict(self.tokens).get("bos_token", "")


def template_files(name: str) -> TemplateFiles | None:
    """The chat template of a model; None where the model is not on this machine, or has none.

    `name` is as `model_files.local.model_folder` takes it. An adapter without a template of its own has that of the
    model below it.
    """
    file = gguf_path(name)
    if file is not None:
        return _in_gguf(file)
    folder = model_folder(name)
    if folder is None:
        return None
    found = _in_folder(folder)
    if found is not None:
        return found
    try:
        adapter = adapter_folder(folder)
    except (OSError, ValueError):
        return None
    adapted = model_folder(adapter.adapted_model) if adapter is not None and adapter.adapted_model else None
    return None if adapted is None else _in_folder(adapted)


def _in_gguf(file: Path) -> TemplateFiles | None:
    """Without its special tokens, which are numbers in a GGUF file."""
    try:
        text = read_gguf(file).text("tokenizer.chat_template")
    except (OSError, ValueError):
        return None
    return TemplateFiles(text, ()) if text else None


def _in_folder(folder: Path) -> TemplateFiles | None:
    stamps = []
    for file in (_JINJA, _JSON, _CONFIG, _TOKENS_MAP):
        try:
            stat = (folder / file).stat()
        except (OSError, ValueError):
            continue
        stamps.append((file, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return _read(folder, tuple(stamps))


@functools.lru_cache(maxsize=32)
def _read(folder: Path, stamps: tuple[tuple[str, int, int, int], ...]) -> TemplateFiles | None:
    """Asked for at every edit of a text: files that stay as they are, which `stamps` tells, are read once."""
    files = {file for file, size, _, _ in stamps if size <= _MOST_BYTES}
    try:
        config = _object(folder / _CONFIG) if _CONFIG in files else {}
        tokens = _object(folder / _TOKENS_MAP) if _TOKENS_MAP in files else {}
        text = (folder / _JINJA).read_text(encoding="utf-8") if _JINJA in files else None
        if text is None:
            text = _default(_object(folder / _JSON).get("chat_template")) if _JSON in files else None
        if text is None:
            text = _default(config.get("chat_template"))
    except (OSError, ValueError, RecursionError):
        return None
    if not text:
        return None
    named = {key: token for key in _TOKENS if (token := _token(config.get(key)) or _token(tokens.get(key)))}
    return TemplateFiles(text, tuple(sorted(named.items())))


def _object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _default(value: object) -> str | None:
    """The template, or of a list or mapping of named ones the default."""
    if isinstance(value, list):
        value = {each.get("name"): each.get("template") for each in value if isinstance(each, dict)}
    if isinstance(value, dict):
        value = value.get("default")
    return value if isinstance(value, str) else None


def _token(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""

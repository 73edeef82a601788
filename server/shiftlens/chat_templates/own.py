"""The marks of the chat template of a model by name: kept on disk by content, else found in a process of its own."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from shiftlens.chat_templates.files import TemplateFiles, template_files
from shiftlens.errors import ModelError
from shiftlens.options.server_names import read_server_name
from shiftlens.scores.location import cache_folder
from shiftlens.transcripts.template_marks import ModelTemplate, TemplateMarks

SECONDS = 10.0
"""How long a template may take, with the start of the process that it is rendered in: usual ones take half a second."""

VERSION = 1
"""To be raised whenever other marks may be found in some template."""

_MOST_BYTES_KEPT = 4 << 20


@dataclass(frozen=True, slots=True)
class Derived:
    """The marks of a template, or why there are none."""

    marks: TemplateMarks | None = None
    reason: str = ""


class _NotAnswered(Exception):
    """The process gave no answer, which says nothing that could be kept."""


def model_template(name: str) -> ModelTemplate:
    """The marks of the chat template of a model, or why there are none. Blocks for up to SECONDS, the first time.

    Nothing is downloaded: `name` is as `model_files.local.model_folder` takes it, or the name of a model on a server,
    whose template is that of the tokenizer that it names.
    """
    place, remedy = _place_of(name)
    files = template_files(place)
    if files is None:
        why = f"{place} has no chat template on this machine, and nothing is downloaded."
        return ModelTemplate(name, reason=f"{why} {remedy}".strip())
    derived = _derived(files)
    if derived.marks is None:
        return ModelTemplate(name, reason=f"No text can be read by the chat template of {name}: {derived.reason}.")
    return ModelTemplate(name, derived.marks)


def _place_of(name: str) -> tuple[str, str]:
    """Where the tokenizer of a model is, and what the user can do where it is not there."""
    try:
        server = read_server_name(name)
    except ModelError:
        return name, ""
    if server is None:
        return name, ""
    if server.tokenizer:
        return server.tokenizer, ""
    return name, "Name a folder with the model's tokenizer by `;tokenizer=PLACE` behind the model's name."


_one_at_a_time = threading.Lock()


def _derived(files: TemplateFiles) -> Derived:
    # Windows are many, and a process for each would be one too many.
    with _one_at_a_time:
        return _known(files)


@functools.lru_cache(maxsize=32)
def _known(files: TemplateFiles) -> Derived:
    """What was found stays in memory, also that a template was stopped: it would be again."""
    path = cache_folder() / "chat_templates" / f"{_key(files)}.json"
    kept = _kept(path)
    if kept is not None:
        return kept
    try:
        derived = _asked(files)
    except _NotAnswered as error:
        return Derived(reason=str(error))
    _keep(path, derived)
    return derived


def _key(files: TemplateFiles) -> str:
    return hashlib.sha256(msgspec.json.encode((VERSION, files))).hexdigest()[:32]


def _asked(files: TemplateFiles) -> Derived:
    """Raises _NotAnswered."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "shiftlens.chat_templates"],
            input=msgspec.json.encode(files),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=Derived)
    except subprocess.TimeoutExpired:
        raise _NotAnswered(f"it was stopped after {SECONDS:.0f} seconds") from None
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        raise _NotAnswered("the process that rendered it ended without an answer") from None


def _kept(path: Path) -> Derived | None:
    try:
        if path.stat().st_size > _MOST_BYTES_KEPT:
            return None
        return msgspec.json.decode(path.read_bytes(), type=Derived)
    except (OSError, msgspec.MsgspecError):
        return None


def _keep(path: Path, derived: Derived) -> None:
    """Whole or not at all. Where that fails it is found anew the next time."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(derived))
        Path(name).replace(path)
    except OSError:
        return

"""Names of models on the way to an engine that works in another folder than its client."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TypeVar

import msgspec

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.engine.protocol import Answer, Done, Job, ScoreSeveral
from shiftlens.model_files.adapter_files import adapter_folder
from shiftlens.model_files.gguf_file import gguf_path
from shiftlens.options.pair import PairSpec

_A = TypeVar("_A", bound=Answer)
_J = TypeVar("_J", bound=Job)


def located(pair: PairSpec) -> PairSpec:
    """The pair with folders and files named in full."""
    return dataclasses.replace(pair, base=_absolute(pair.base), aligned=_absolute(pair.aligned))


def located_job(request: _J) -> _J:
    """The job with every folder and file named in full."""
    found = msgspec.structs.replace(request, pair=located(request.pair))
    if isinstance(found, ScoreSeveral):
        return msgspec.structs.replace(found, also=tuple(map(_absolute, found.also)))
    return found


def deciding_pair(request: Job) -> PairSpec:
    """The pair of a job that decides which engine can do it: one that needs the working folder, if there is any."""
    pairs = request.pairs if isinstance(request, ScoreSeveral) else (request.pair,)
    return next(filter(needs_working_folder, pairs[1:]), pairs[0])


def as_named(answer: _A, request: Job) -> _A:
    """The answer with the models under the names that the caller gave them."""
    pair = request.pair
    named: dict[str, object] = {
        side: msgspec.structs.replace(description, name=name)
        for side, name in (("base", pair.base), ("aligned", pair.aligned))
        if (description := getattr(answer, side)) is not None
    }
    if isinstance(request, ScoreSeveral) and isinstance(answer, Done):
        both = zip(answer.also, request.also, strict=True)
        named["also"] = tuple(each and msgspec.structs.replace(each, name=name) for each, name in both)
    return msgspec.structs.replace(answer, **named)


def needs_working_folder(pair: PairSpec) -> bool:
    """Whether an adapter names its adapted model by a path from the folder that this process works in."""
    return any(_names_model_from_here(Path(resolve_model_name(name))) for name in (pair.base, pair.aligned))


def _names_model_from_here(folder: Path) -> bool:
    try:
        adapter = adapter_folder(folder)
    except (OSError, ValueError):
        return False
    if adapter is None or not adapter.adapted_model:
        return False
    return not Path(adapter.adapted_model).is_absolute() and Path(adapter.adapted_model).is_dir()


def _absolute(name: str) -> str:
    place = gguf_path(name) or Path(name)
    return str(place.absolute()) if place.exists() else name

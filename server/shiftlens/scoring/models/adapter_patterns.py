"""The regular expressions by which an adapter chooses layers, turned into the names that they match.

An adapter's configuration is a file of anybody, and a short expression can take Python's `re` hours for one name. peft
matches on the engine's only thread, inside of C, where nothing can stop it. So another process matches first, which is
killed after some seconds; peft is given an expression that lists the names that were found.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from shiftlens.errors import ModelError

SECONDS = 5.0
"""What all expressions of one adapter may take together; those of known adapters take some milliseconds."""

MOST_ENTRIES = 10_000
"""Of a list or table in the configuration. peft compares each with each layer."""

# peft matches the whole of a layer's name with the first kind, and an end of it with the keys of the second.
_WHOLE = ("exclude_modules", "feedforward_modules", "target_modules")
_KEYED = ("alpha_pattern", "rank_pattern")
_BY_LAYER = "layers_pattern"
_ALL_LINEAR = "all-linear"
# peft asks for these by themselves as well.
_EMBEDDINGS = ("embed_tokens", "lm_head")
_PLAIN = re.compile(r"[\w.]*", re.ASCII)
_FEW = 64

# One line of JSON in, one out. The names that a form matches are told by index.
_MATCHER = """
import json, re, sys
asked = json.load(sys.stdin)
names = asked["names"]
whole = {key: [at for at, name in enumerate(names) if re.fullmatch(form, name)] for key, form in asked["whole"].items()}
keyed = {}
for key, forms in asked["keyed"].items():
    compiled = [re.compile(rf"(.*\\.)?({form})$") for form in forms]
    found = keyed[key] = [[] for _ in forms]
    for at, name in enumerate(names):
        first = next((number for number, form in enumerate(compiled) if form.match(name)), None)
        if first is not None:
            found[first].append(at)
json.dump({"whole": whole, "keyed": keyed}, sys.stdout)
"""


def with_names(settings: Mapping[str, object], modules: Sequence[str], shown: str) -> dict[str, object]:
    """The settings of an adapter with expressions that only list names of `modules`, and choose the same of these.

    `shown` is what an error calls the adapter. Raises ModelError where an expression is none, takes too long, or where
    there are too many of them.
    """
    _check_sizes(settings, shown)
    whole = {key: form for key in _WHOLE if isinstance(form := settings.get(key), str) and not _is_plain(form)}
    keyed: dict[str, dict[str, object]] = {
        key: forms
        for key in _KEYED
        if isinstance(forms := settings.get(key), dict) and not (len(forms) <= _FEW and all(map(_is_plain, forms)))
    }
    if not whole and not keyed:
        return dict(settings)
    names = [*dict.fromkeys((*modules, *_EMBEDDINGS))]
    found = _match(names, whole, {key: list(forms) for key, forms in keyed.items()}, shown)
    chosen: dict[str, object] = {key: _any_of(names, found["whole"][key]) for key in whole}
    for key, forms in keyed.items():
        matched = zip(found["keyed"][key], forms.values(), strict=True)
        # An expression of a table is searched for behind any dot: `^` keeps it to the whole name.
        chosen[key] = {"^" + _any_of(names, indices): value for indices, value in matched if indices}
    return {**settings, **chosen}


def _is_plain(form: str) -> bool:
    """Whether an expression is a name, of which each character is looked at once."""
    return form.lower() == _ALL_LINEAR or _PLAIN.fullmatch(form) is not None


def _any_of(names: Sequence[str], indices: Sequence[int]) -> str:
    """An expression for these names and no others. For none it is one that nothing matches."""
    return f"(?:{'|'.join(re.escape(names[at]) for at in indices)})" if indices else "(?!)"


def _check_sizes(settings: Mapping[str, object], shown: str) -> None:
    for key, value in settings.items():
        if isinstance(value, (list, dict)) and len(value) > MOST_ENTRIES:
            raise ModelError(
                f"The adapter {shown} has {len(value):,} entries in `{key}`; {MOST_ENTRIES:,} are the most.",
                "Name layers by the ends of their names (`q_proj`), each once.",
            )
    patterns = settings.get(_BY_LAYER)
    for each in patterns if isinstance(patterns, list) else [patterns or ""]:
        if not isinstance(each, str) or not _is_plain(each):
            raise ModelError(
                f"The adapter {shown} has a regular expression in `{_BY_LAYER}`, where ShiftLens takes names only.",
                "Name the list of layers as the model does (`layers`, `h`).",
            )


def _match(
    names: Sequence[str], whole: Mapping[str, str], keyed: Mapping[str, Sequence[str]], shown: str
) -> dict[str, Any]:
    asked = json.dumps({"names": names, "whole": whole, "keyed": keyed})
    keys = ", ".join(f"`{key}`" for key in (*whole, *keyed))
    remedy = "Write the names of the layers, or the ends of them, as a list."
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and the expressions come as data
            [sys.executable, "-I", "-S", "-c", _MATCHER], input=asked, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"The adapter {shown} chooses its layers by a regular expression ({keys}) that was stopped after"
            f" {SECONDS:.0f} seconds: it takes too long.",
            remedy,
        ) from None
    except OSError as error:
        raise ModelError(f"No process to match the expressions of the adapter {shown} starts: {error}.") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ModelError(f"A regular expression of the adapter {shown} ({keys}) is none: {said[0]}", remedy)
    matched: dict[str, Any] = json.loads(done.stdout)
    return matched

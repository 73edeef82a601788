"""The settings a user can make, as one checked, immutable value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from shiftlens.options.pair import (
    AUTO_LIBRARY,
    BASE_CONTEXTS,
    CLASSIFY_BY,
    COMPAT_MODES,
    DEFAULT_IDLE_MINUTES,
    DEVICES,
    DTYPES,
    FROM_MODELS,
    MATRIX_LIBRARIES,
    SCORES,
    ClassifyOptions,
    ScoreOptions,
    parts_named,
)
from shiftlens.options.server_names import is_server_name

SECTION = "shiftlens"
TEMPLATE_PREFIX = "template:"

# What a file may choose in its front matter. Not among them: whatever costs memory, disk, network or trust.
_FILE_KEYS = (
    "base",
    "aligned",
    "baseContext",
    "alignedContext",
    "classifyBy",
    "thresholds",
    "topK",
    "scoreParts",
    "compat",
    "scores",
)
_SHORT_FILE_KEYS = {"parts": "scoreParts"}
_SEPARATOR = re.compile(r"[-_]+([a-z])")

SIDECARS = ("auto", "always", "never")
"""Whether scores in a file beside a transcript are shown; see `pipeline.sidecars.decide`."""

_MOST_CANDIDATES = 100
_LONGEST_DEBOUNCE_MS = 60_000
_LONGEST_IDLE_MINUTES = 7 * 24 * 60


class RunPolicy(str, Enum):
    """When to score without being asked; each includes the ones before it."""

    MANUAL = "manual"
    ON_OPEN = "onOpen"
    ON_SAVE = "onSave"
    ON_TYPE = "onType"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `shiftlens` section. `base` and `aligned` are "" where the user names no model.

    `stages` are further aligned models of `base`, in the order of the training (see `pair_choice.choose_stages`).

    `word_lists` is the path of a file (`options.word_lists`), "" for the package's own lists.
    """

    base: str = ""
    aligned: str = ""
    stages: tuple[str, ...] = ()
    base_context: str = "aligntds"
    aligned_context: str = "chat"
    classify_by: str = "response"
    thresholds: tuple[int, int] = (1, 3)
    top_k: int = 10
    score_parts: tuple[str, ...] = ("answer", "reasoning")
    word_lists: str = ""
    device: str = "auto"
    dtype: str = "auto"
    matrix_library: str = AUTO_LIBRARY
    run_policy: RunPolicy = RunPolicy.ON_TYPE
    debounce_ms: int = 400
    max_file_bytes: int = 2_000_000
    allow_download: bool = False
    allow_pickle: bool = False
    compat: str = ""
    scores: str = FROM_MODELS
    format: str = ""
    result_cache: bool = True
    sidecars: str = "auto"
    share_engine: bool = True
    engine_idle_minutes: int = DEFAULT_IDLE_MINUTES
    code_lenses: bool = True
    inlay_hints: bool = False
    run_diagnostics: bool = False
    inline_completions: bool = False

    @property
    def score_options(self) -> ScoreOptions:
        return ScoreOptions(
            base_context=self.base_context,
            aligned_context=self.aligned_context,
            top_k=self.top_k,
            compat=self.compat,
            parts=self.score_parts,
        )

    @property
    def classify_options(self) -> ClassifyOptions:
        """With the package's own word lists: reading a file is left to what knows whether it may be read."""
        return ClassifyOptions(classify_by=self.classify_by, thresholds=self.thresholds)

    def as_json(self) -> dict[str, object]:
        """The settings under the names that users give them."""
        values = {key: getattr(self, name) for key, (name, _) in _CHECKS.items()}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


class _Unfit(Exception):
    """What a value should have been, to follow "must be"."""


Check = Callable[[object], object]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Unfit("a string")
    return value.strip()


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("true or false")
    return value


def _whole(least: int, most: int) -> Check:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _Unfit(f"a whole number from {least} to {most}")
        return value

    return check


def _one_of(choices: tuple[str, ...]) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise _Unfit("one of " + ", ".join(f'"{choice}"' for choice in choices))
        return value

    return check


def _base_context(value: object) -> str:
    if isinstance(value, str) and (value in BASE_CONTEXTS or value.startswith(TEMPLATE_PREFIX)):
        return value
    raise _Unfit("one of " + ", ".join(f'"{name}"' for name in BASE_CONTEXTS) + ', or "template:" and Jinja')


def _thresholds(value: object) -> tuple[int, int]:
    # Front matter holds single values only, so that it has them as text.
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*,\s*\d{1,9}\s*", value):
        value = [int(part) for part in value.split(",")]
    if isinstance(value, (list, tuple)) and len(value) == 2:
        first, second = value
        whole = all(isinstance(v, int) and not isinstance(v, bool) for v in value)
        if whole and 1 <= first <= second:
            return first, second
    raise _Unfit("two whole numbers, each at least 1 and the second not below the first, such as [1, 3]")


def _different_names(value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        names = tuple(name.strip() for name in value)
        if all(names) and len(set(names)) == len(names):
            return names
    raise _Unfit('a list of names of models, each once, such as ["org/sft", "org/dpo"]')


def _score_parts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, (list, tuple)):
        raise _Unfit('a list of parts, such as ["answer", "reasoning"]')
    try:
        return parts_named(str(part) for part in value)
    except ValueError as error:
        raise _Unfit(str(error)) from None


def _path(value: object) -> str:
    if isinstance(value, str):
        path = value.strip()
        if not path or path.startswith("~") or Path(path).is_absolute():
            return path
    raise _Unfit('the whole path of a file, from the root or from "~", or empty')


def _run_policy(value: object) -> RunPolicy:
    return RunPolicy(_one_of(tuple(policy.value for policy in RunPolicy))(value))


_CHECKS: dict[str, tuple[str, Check]] = {
    "base": ("base", _text),
    "aligned": ("aligned", _text),
    "stages": ("stages", _different_names),
    "baseContext": ("base_context", _base_context),
    "alignedContext": ("aligned_context", _base_context),
    "classifyBy": ("classify_by", _one_of(CLASSIFY_BY)),
    "thresholds": ("thresholds", _thresholds),
    "topK": ("top_k", _whole(1, _MOST_CANDIDATES)),
    "scoreParts": ("score_parts", _score_parts),
    "wordLists": ("word_lists", _path),
    "device": ("device", _one_of(DEVICES)),
    "dtype": ("dtype", _one_of(DTYPES)),
    "matrixLibrary": ("matrix_library", _one_of(MATRIX_LIBRARIES)),
    "runPolicy": ("run_policy", _run_policy),
    "debounceMs": ("debounce_ms", _whole(0, _LONGEST_DEBOUNCE_MS)),
    "maxFileBytes": ("max_file_bytes", _whole(1, 1 << 30)),
    "allowDownload": ("allow_download", _flag),
    "allowPickle": ("allow_pickle", _flag),
    "compat": ("compat", _one_of(("", *COMPAT_MODES))),
    "scores": ("scores", _one_of(SCORES)),
    "format": ("format", _text),
    "resultCache": ("result_cache", _flag),
    "sidecars": ("sidecars", _one_of(SIDECARS)),
    "shareEngine": ("share_engine", _flag),
    "engineIdleMinutes": ("engine_idle_minutes", _whole(0, _LONGEST_IDLE_MINUTES)),
    "codeLenses": ("code_lenses", _flag),
    "inlayHints": ("inlay_hints", _flag),
    "runDiagnostics": ("run_diagnostics", _flag),
    "inlineCompletions": ("inline_completions", _flag),
}


def read_settings(raw: object) -> tuple[Settings, tuple[str, ...]]:
    """Check a client's `shiftlens` section.

    A key that is absent or null takes its default, and so does one with a bad value; each of these adds a sentence to
    the second result. Keys the server does not know are the client's own.
    """
    if raw is None:
        return Settings(), ()
    if not isinstance(raw, Mapping):
        return Settings(), (f"The settings `{SECTION}` must be an object; the defaults are used.",)
    values, bad = _checked(raw)
    problems = (f"The setting `{SECTION}.{key}` must be {unfit}; its default is used." for key, unfit in bad)
    return Settings(**values), tuple(problems)  # type: ignore[arg-type]


def read_front_matter_values(front_matter: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """What a file chooses for itself, by field name of Settings, and a sentence for each value that is not followed.

    Keys are spelled as settings are, or with `-` or `_` between the words. Other keys are left to others.
    """
    spelled = {_setting_named(str(key)): str(key) for key in front_matter}
    values, bad = _checked({key: front_matter[spelled[key]] for key in _FILE_KEYS if key in spelled})
    problems = [f"Front matter: `{spelled[key]}` must be {unfit}; it is not followed." for key, unfit in bad]
    for key in ("base", "aligned"):
        if is_server_name(str(values.get(key, ""))):
            # A file that could name a server would decide where its reader's other texts and keys are sent.
            del values[key]
            problems.append(
                f"Front matter: `{spelled[key]}` names a model server, which a file may not choose; it is not followed."
                f" Name the server in the settings of the user (`{SECTION}.{key}`) or on the command line (`--{key}`)."
            )
    return values, tuple(problems)


def _setting_named(key: str) -> str:
    camel = _SEPARATOR.sub(lambda found: found[1].upper(), key)
    return _SHORT_FILE_KEYS.get(camel, camel)


def _checked(raw: Mapping[str, object]) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """The good values among the keys of settings, by field name, and for each bad one what it should have been."""
    values: dict[str, object] = {}
    bad: list[tuple[str, str]] = []
    for key, (name, check) in _CHECKS.items():
        value = raw.get(key)
        if value is None:
            continue
        try:
            values[name] = check(value)
        except _Unfit as unfit:
            bad.append((key, str(unfit)))
    return values, bad

"""The command of a terminal that gives what a page shows, so that it can be repeated and passed on."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.options.settings import TEMPLATE_PREFIX, Settings

_MOST_BYTES_UNASKED = 5_000_000
"""What the commands read without --max-bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What scores a document, and with what options, as the settings and its front matter have it."""

    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    settings: Settings
    front_matter: Mapping[str, object]


def command_line(
    name: str, file: str, chosen: Chosen, more: Sequence[str] = (), *, with_base_context: bool = True
) -> tuple[str, tuple[str, ...]]:
    """The command `name` on a file, with `more` arguments, and in sentences what has to be added by hand.

    `with_base_context` is false for a command that has other contexts. The line is quoted for a shell of this system.
    """
    options, default = chosen.score_options, ScoreOptions()
    told: list[str] = []
    arguments = ["shiftlens", name, file, *_pair_arguments(chosen.pair), *more]

    def add(option: str, value: str, usual: str) -> None:
        # Front matter goes before what the command does unasked, but not before what it is told.
        if value != usual or chosen.front_matter:
            arguments.extend((option, value))

    def add_context(option: str, value: str, usual: str) -> None:
        if value.startswith(TEMPLATE_PREFIX):
            told.append(f"Add {option} template:FILE, with the template of the settings in that file.")
        else:
            add(option, value, usual)

    if with_base_context and options.compat:
        arguments.extend(("--compat", options.compat))
    elif with_base_context:
        add_context("--base-context", options.base_context, default.base_context)
    add_context("--aligned-context", options.aligned_context, default.aligned_context)
    add("--classify-by", chosen.classify_options.classify_by, ClassifyOptions().classify_by)
    add("--thresholds", _joined(chosen.classify_options.thresholds), _joined(ClassifyOptions().thresholds))
    add("--top-k", str(options.top_k), str(default.top_k))
    add("--score-parts", _joined(options.parts), _joined(default.parts))
    if chosen.classify_options.word_lists is not None:
        arguments.extend(("--word-lists", chosen.settings.word_lists))
    if chosen.settings.format:
        arguments.extend(("--transcript-format", chosen.settings.format))
    if chosen.settings.max_file_bytes > _MOST_BYTES_UNASKED:
        arguments.extend(("--max-bytes", str(chosen.settings.max_file_bytes)))
    return _quoted(arguments), tuple(told)


def _pair_arguments(pair: PairSpec) -> list[str]:
    bundled = (pair.base, pair.aligned) == (BUNDLED_BASE, BUNDLED_ALIGNED)
    named = ["--bundled"] if bundled else ["--base", pair.base, "--aligned", pair.aligned]
    for option, value in (
        ("--device", pair.device),
        ("--dtype", pair.dtype),
        ("--matrix-library", pair.matrix_library),
    ):
        if value != "auto":
            named.extend((option, value))
    return [*named, *(["--allow-pickle"] if pair.allow_pickle else [])]


def _joined(values: Sequence[object]) -> str:
    return ",".join(map(str, values))


def _quoted(arguments: Sequence[str]) -> str:
    return subprocess.list2cmdline(arguments) if os.name == "nt" else shlex.join(arguments)

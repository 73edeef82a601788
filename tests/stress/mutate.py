"""Files that almost are transcripts: the examples of every format, changed in ways that a format's own parts suggest.

Random bytes are turned down by the first look at them. A change that keeps most of a file's structure gets further.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from shiftlens.transcripts.registry import formats


class Seed(NamedTuple):
    """A file to begin with."""

    filename: str
    text: str


SEEDS = tuple(Seed(example.filename, example.text) for known in formats() for example in known.examples)
MOST_CHARACTERS = 20_000

_MARK = re.compile(
    r"<[^<>\s]{1,40}>|\[/?[A-Z_]{3,20}\]|^#{1,4} \S.*$|^[^\s:{}\"]{1,20}:|\"[a-z_]{2,24}\"", re.MULTILINE
)
MARKS = tuple(sorted({mark for seed in SEEDS for mark in _MARK.findall(seed.text)}))
KEYS = tuple(sorted({mark[1:-1] for mark in MARKS if mark.startswith('"')}))
AWKWARD = (
    *("\u2028", "\x00", "\r\n", "\n", "\r", "\n\n", "😀", "e\u0301", "שלום", "\u202e", "\x85", "\x1c", "\t", "\ufeff"),
    *(
        "```",
        "~~~",
        "---",
        "---\n",
        "===",
        "|",
        ": ",
        "- ",
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "\x1b[2J",
    ),
    *(
        "\ud83d",
        "\ude00",
        '"',
        "'",
        "\\",
        "\\u",
        "\\ud83d",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "&amp;",
        "&#x1F600;",
        "//",
        "/*",
    ),
)
FRONTS = (
    "---\ntitle: é 😀\n---\n",
    "---\nshiftlens:\n  format: auto\n---\n",
    "---\nshiftlens: {user-name: Bob, assistant-name: HAL}\n---\n",
    "---\nshiftlens:\n  base: bundled:base\n  top-k: ten\n---\r\n",
    "\ufeff---\r\nshiftlens: [\r\n---\r\n",
    "---\na: &a [*a]\n---\n",
    "---\n? - x\n---\n",
)
_SCALARS: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    10**30,
    "",
    "a",
    "\ud83d",
    "user",
    "assistant",
    "tool",
    "text",
)


def mutant(rng: random.Random) -> Seed:
    """An example of some format, changed."""
    return mutated(rng, rng.choice(SEEDS))


def mutated(rng: random.Random, seed: Seed) -> Seed:
    """A file after up to five changes."""
    text = seed.text
    if rng.random() < 0.6:
        text = _json_mutant(rng, text) or text
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
        text = rng.choice(_CHANGES)(rng, text)
    name = seed.filename if rng.random() < 0.8 else rng.choice(SEEDS).filename
    return Seed(name, text[:MOST_CHARACTERS])


def _place(rng: random.Random, text: str) -> int:
    """A place at the beginning of a line, or anywhere."""
    if rng.random() < 0.5 and "\n" in text:
        return rng.choice([at.end() for at in re.finditer("\n", text)])
    return rng.randint(0, len(text))


def _stretch(rng: random.Random, text: str) -> tuple[int, int]:
    start = _place(rng, text)
    end = _place(rng, text) if rng.random() < 0.3 else start + rng.randint(0, 30)
    return min(start, end), max(start, end)


def _insert(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    added: str = rng.choice(MARKS if rng.random() < 0.6 else AWKWARD)
    return text[:at] + added + text[at:]


def _delete(rng: random.Random, text: str) -> str:
    start, end = _stretch(rng, text)
    return text[:start] + text[end:]


def _copy(rng: random.Random, text: str) -> str:
    start, end = _stretch(rng, text)
    at = _place(rng, text)
    return text[:at] + text[start:end] * rng.choice((1, 1, 1, 2, 20)) + text[at:]


def _splice(rng: random.Random, text: str) -> str:
    other = rng.choice(SEEDS).text
    return text[: _place(rng, text)] + other[_place(rng, other) :]


def _swap_marks(rng: random.Random, text: str) -> str:
    found = _MARK.findall(text)
    return text.replace(rng.choice(found), rng.choice(MARKS), rng.choice((1, -1))) if found else text


def _newlines(rng: random.Random, text: str) -> str:
    return text.replace("\n", rng.choice(("\r\n", "\r", "\n\n", "\n ", " ", "\u2028")), rng.choice((1, 3, -1)))


def _front(rng: random.Random, text: str) -> str:
    return rng.choice(FRONTS) + text


def _character(rng: random.Random, text: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice((chr(rng.randint(0, 0x7F)), chr(rng.randint(0, 0x10FFFF)))) + text[at + 1 :]


def _case(rng: random.Random, text: str) -> str:
    start, end = _stretch(rng, text)
    return text[:start] + text[start:end].swapcase() + text[end:]


_CHANGES: tuple[Callable[[random.Random, str], str], ...] = (
    *(_insert, _insert, _insert, _delete, _delete, _copy, _copy, _splice, _swap_marks, _newlines, _front),
    *(_character, _case),
)


def _json_mutant(rng: random.Random, text: str) -> str | None:
    """JSON or JSONL with values changed, written in some other way; None for what is neither."""
    try:
        values, is_lines = [json.loads(text)], False
    except ValueError:
        try:
            values, is_lines = [json.loads(line) for line in text.splitlines() if line.strip()], True
        except ValueError:
            return None
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(values)) if values else 0
        if values:
            values[at] = changed(rng, values[at])
        if rng.random() < 0.1:
            values.insert(at, rng.choice(values) if values else None)
    style: dict[str, Any] = {
        "ensure_ascii": rng.random() < 0.5,
        "indent": None if is_lines else rng.choice((None, 1)),
        "separators": rng.choice(((",", ":"), (", ", ": "))),
    }
    return "\n".join(json.dumps(value, **style) for value in values) + rng.choice(("", "\n"))


def changed(rng: random.Random, value: Any) -> Any:
    """A value with one change somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.6:
            return {**value, key: changed(rng, value[key])}
        if kind < 0.7:
            return {k: v for k, v in value.items() if k != key}
        if kind < 0.85:
            return {(rng.choice(KEYS) if k == key else k): v for k, v in value.items()}
        return {**value, rng.choice(KEYS): rng.choice((value[key], _new(rng)))}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        kind = rng.random()
        if kind < 0.7:
            return [*value[:at], changed(rng, value[at]), *value[at + 1 :]]
        if kind < 0.8:
            return value[:at] + value[at + 1 :]
        return [*value[:at], rng.choice(value), *value[at:]]
    if isinstance(value, str) and rng.random() < 0.5:
        return rng.choice(_CHANGES)(rng, value)
    return rng.choice(
        (_new(rng), [value], {rng.choice(KEYS): value}, json.dumps(value, default=repr), _deep(rng, value))
    )


def _new(rng: random.Random) -> object:
    seed = rng.choice(SEEDS).text
    return rng.choice(
        (rng.choice(_SCALARS), [], {}, seed[:400], rng.choice(MARKS), {rng.choice(KEYS): rng.choice(_SCALARS)})
    )


def _deep(rng: random.Random, value: object) -> object:
    for _ in range(rng.choice((3, 30, 300))):
        value = [value]
    return value

"""A JSON reader whose nodes know where in the text they stand.

It is strict unless it is asked for near-JSON: comments, commas before a closing bracket, values one after another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from shiftlens.text.source_map import Segment, SourceMap

MAX_DEPTH = 100


@dataclass
class Leniency:
    """What a lenient reading passed over: the offset of the first comment and of the first comma too many."""

    comment: int | None = None
    comma: int | None = None

    def earliest(self, later: Leniency) -> Leniency:
        """What this reading or a later one passed over first."""
        return Leniency(
            later.comment if self.comment is None else self.comment, later.comma if self.comma is None else self.comma
        )


class JsonSourceError(ValueError):
    """Not JSON, at `offset`."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


class JsonString(NamedTuple):
    """A string literal; `start` and `end` span it with its quotes. `decoded` undoes its escapes."""

    start: int
    end: int


class JsonScalar(NamedTuple):
    """A number, true, false or null; the value is what `literal` says."""

    start: int
    end: int
    literal: str

    @property
    def is_null(self) -> bool:
        return self.literal == "null"


class JsonArray(NamedTuple):
    start: int
    end: int
    items: tuple[JsonNode, ...]


class JsonObject(NamedTuple):
    """An object; of members with one name the last counts, as in most readers, and `repeated` holds the name."""

    start: int
    end: int
    members: dict[str, JsonNode]
    repeated: tuple[str, ...] = ()


JsonNode: TypeAlias = "JsonString | JsonScalar | JsonArray | JsonObject"

_BLANKS = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"(?://[^\r\n]*|/\*.*?\*/)[ \t\r\n]*", re.DOTALL)
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_STRING_PART = re.compile(r'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_ESCAPE = re.compile(
    r"(?:\\r|\\u000[dD])(?:\\n|\\u000[aA])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\."
)
_WRITTEN = {"\n": ("a line break", r"\n"), "\r": ("a line break", r"\r\n"), "\t": ("a tab", r"\t")}
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse(text: str, start: int, end: int) -> JsonNode:
    """The one JSON value in text[start:end], blanks around it allowed.

    NaN and the infinities are read, since Python writes them. Raises JsonSourceError for anything else, for other
    text after the value, and for more than MAX_DEPTH levels.
    """
    node = _value(text, _skip(text, start, end, None), end, 0, None)
    after = _skip(text, node.end, end, None)
    if after < end:
        raise JsonSourceError("there is more text after the value", after)
    return node


def parse_leniently(text: str, start: int, end: int) -> tuple[tuple[JsonNode, ...], Leniency]:
    """The values in text[start:end], with or without commas between them, comments and commas too many passed over.

    Raises JsonSourceError for anything else.
    """
    passed = Leniency()
    nodes: list[JsonNode] = []
    at = _skip(text, start, end, passed)
    while at < end:
        node = _value(text, at, end, 0, passed)
        if isinstance(node, JsonScalar):
            raise JsonSourceError("an object or a list should stand here", at)
        nodes.append(node)
        at = _skip(text, node.end, end, passed)
        if text.startswith(",", at, end):
            passed.comma = at if passed.comma is None else passed.comma
            at = _skip(text, at + 1, end, passed)
    return tuple(nodes), passed


def decoded(text: str, node: JsonString) -> tuple[str, SourceMap]:
    """The string's value and the way back to its literal, whose first character is the map's start.

    CRLF is one newline, a surrogate pair is one character. A lone surrogate is no character: it is read as U+FFFD.
    """
    at = node.start + 1
    end = node.end - 1
    if text.find("\\", at, end) < 0:
        return text[at:end], SourceMap.verbatim(at, end - at)
    parts: list[str] = []
    segments: list[Segment] = []
    length = 0
    source_start = at
    for escape in _ESCAPE.finditer(text, at, end):
        run = escape.start() - at
        if run:
            parts.append(text[at : escape.start()])
            segments.append(Segment(length, run, at, run))
            length += run
        parts.append(_unescaped(escape[0]))
        at = escape.end()
        segments.append(Segment(length, 1, escape.start(), at - escape.start()))
        length += 1
    if at < end:
        parts.append(text[at:end])
        segments.append(Segment(length, end - at, at, end - at))
    return "".join(parts), SourceMap(source_start, tuple(segments))


def _unescaped(escape: str) -> str:
    if len(escape) == 2:
        return _SIMPLE[escape[1]]
    if escape[1] == "r":
        return "\n"
    unit = int(escape[2:6], 16)
    if unit == 0x0D and len(escape) > 6:
        return "\n"
    if len(escape) == 12:
        return chr(0x10000 + ((unit - 0xD800) << 10) + (int(escape[8:], 16) - 0xDC00))
    return "\ufffd" if 0xD800 <= unit < 0xE000 else chr(unit)


def _skip(text: str, at: int, end: int, passed: Leniency | None) -> int:
    # Asked for two or three times a value, mostly where there are none.
    if at < end and text[at] > " " and (passed is None or text[at] != "/"):
        return at
    found = _BLANKS.match(text, at, end)
    at = found.end() if found else at
    while passed is not None and (comment := _COMMENT.match(text, at, end)):
        if passed.comment is None:
            passed.comment = at
        at = comment.end()
    return at


def _value(text: str, at: int, end: int, depth: int, passed: Leniency | None) -> JsonNode:
    if depth > MAX_DEPTH:
        raise JsonSourceError(f"values are nested more than {MAX_DEPTH} deep", at)
    if at >= end:
        raise JsonSourceError("the text ends where a value should stand", end)
    first = text[at]
    if first == '"':
        return _string(text, at, end)
    if first == "{":
        return _object(text, at, end, depth, passed)
    if first == "[":
        return _array(text, at, end, depth, passed)
    scalar = _SCALAR.match(text, at, end)
    if scalar is None:
        raise JsonSourceError(f"{first!r} begins no value", at)
    return JsonScalar(at, scalar.end(), scalar[0])


def _string(text: str, at: int, end: int) -> JsonString:
    found = _STRING.match(text, at, end)
    if found:
        return JsonString(at, found.end())
    part = _STRING_PART.match(text, at + 1, end)
    stop = part.end() if part else at
    if stop >= end:
        if end < len(text) and text[end] == "\n":
            raise JsonSourceError("the line ends inside a string, where a line break is written `\\n`", end)
        raise JsonSourceError("the text ends inside a string", end)
    if text[stop] == "\\":
        raise JsonSourceError(f"{text[stop : min(stop + 6, end)]!r} is no escape", stop)
    if text[stop] in _WRITTEN:
        what, written = _WRITTEN[text[stop]]
        raise JsonSourceError(f"{what} stands inside a string, where it is written `{written}`", stop)
    raise JsonSourceError(f"the character U+{ord(text[stop]):04X} must be escaped in a string", stop)


def _array(text: str, at: int, end: int, depth: int, passed: Leniency | None) -> JsonArray:
    items: list[JsonNode] = []
    here = _skip(text, at + 1, end, passed)
    if text.startswith("]", here, end):
        return JsonArray(at, here + 1, ())
    while True:
        item = _value(text, here, end, depth + 1, passed)
        items.append(item)
        here = _skip(text, item.end, end, passed)
        if text.startswith("]", here, end):
            return JsonArray(at, here + 1, tuple(items))
        comma = here
        here = _skip(text, _expected(text, here, end, ","), end, passed)
        if passed is not None and text.startswith("]", here, end):
            passed.comma = comma if passed.comma is None else passed.comma
            return JsonArray(at, here + 1, tuple(items))


def _object(text: str, at: int, end: int, depth: int, passed: Leniency | None) -> JsonObject:
    members: dict[str, JsonNode] = {}
    repeated: list[str] = []
    here = _skip(text, at + 1, end, passed)
    if text.startswith("}", here, end):
        return JsonObject(at, here + 1, members)
    while True:
        if not text.startswith('"', here, end):
            python = "; the single quote is Python's" if text.startswith("'", here, end) else ""
            raise JsonSourceError(f"a name in double quotes should stand here{python}", here)
        name = _string(text, here, end)
        here = _skip(text, _expected(text, _skip(text, name.end, end, passed), end, ":"), end, passed)
        value = _value(text, here, end, depth + 1, passed)
        key = decoded(text, name)[0]
        if key in members:
            repeated.append(key)
        members[key] = value
        here = _skip(text, value.end, end, passed)
        if text.startswith("}", here, end):
            return JsonObject(at, here + 1, members, tuple(repeated))
        comma = here
        here = _skip(text, _expected(text, here, end, ","), end, passed)
        if passed is not None and text.startswith("}", here, end):
            passed.comma = comma if passed.comma is None else passed.comma
            return JsonObject(at, here + 1, members, tuple(repeated))


def _expected(text: str, at: int, end: int, what: str) -> int:
    if text.startswith(what, at, end):
        return at + 1
    if at >= end:
        raise JsonSourceError(f"the text ends where {what!r} should stand", end)
    raise JsonSourceError(f"{what!r} should stand here, not {text[at]!r}", at)

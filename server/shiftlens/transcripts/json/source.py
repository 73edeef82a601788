"""A strict JSON reader whose nodes know where in the text they stand."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from shiftlens.transcripts.model import Segment, SourceMap

MAX_DEPTH = 100


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
    """An object; of members with one name the last counts, as in most readers."""

    start: int
    end: int
    members: dict[str, JsonNode]


JsonNode: TypeAlias = "JsonString | JsonScalar | JsonArray | JsonObject"

_BLANKS = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_STRING_PART = re.compile(r'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse(text: str, start: int, end: int) -> JsonNode:
    """The one JSON value in text[start:end], blanks around it allowed.

    NaN and the infinities are read, since Python writes them. Raises JsonSourceError for anything else, for other
    text after the value, and for more than MAX_DEPTH levels.
    """
    node = _value(text, _skip(text, start, end), end, 0)
    after = _skip(text, node.end, end)
    if after < end:
        raise JsonSourceError("there is more text after the value", after)
    return node


def decoded(text: str, node: JsonString) -> tuple[str, SourceMap]:
    """The string's value and the way back to its literal, whose first character is the map's start.

    A surrogate pair is one character. A lone surrogate is no character: it is read as U+FFFD.
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
    unit = int(escape[2:6], 16)
    if len(escape) == 12:
        return chr(0x10000 + ((unit - 0xD800) << 10) + (int(escape[8:], 16) - 0xDC00))
    return "\ufffd" if 0xD800 <= unit < 0xE000 else chr(unit)


def _skip(text: str, at: int, end: int) -> int:
    # Asked for two or three times a value, mostly where there are none.
    if at < end and text[at] > " ":
        return at
    found = _BLANKS.match(text, at, end)
    return found.end() if found else at


def _value(text: str, at: int, end: int, depth: int) -> JsonNode:
    if depth > MAX_DEPTH:
        raise JsonSourceError(f"values are nested more than {MAX_DEPTH} deep", at)
    if at >= end:
        raise JsonSourceError("the text ends where a value should stand", end)
    first = text[at]
    if first == '"':
        return _string(text, at, end)
    if first == "{":
        return _object(text, at, end, depth)
    if first == "[":
        return _array(text, at, end, depth)
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
        raise JsonSourceError("the text ends inside a string", end)
    if text[stop] == "\\":
        raise JsonSourceError(f"{text[stop : min(stop + 6, end)]!r} is no escape", stop)
    raise JsonSourceError(f"the character U+{ord(text[stop]):04X} must be escaped in a string", stop)


def _array(text: str, at: int, end: int, depth: int) -> JsonArray:
    items: list[JsonNode] = []
    here = _skip(text, at + 1, end)
    if text.startswith("]", here, end):
        return JsonArray(at, here + 1, ())
    while True:
        item = _value(text, here, end, depth + 1)
        items.append(item)
        here = _skip(text, item.end, end)
        if text.startswith("]", here, end):
            return JsonArray(at, here + 1, tuple(items))
        here = _skip(text, _expected(text, here, end, ","), end)


def _object(text: str, at: int, end: int, depth: int) -> JsonObject:
    members: dict[str, JsonNode] = {}
    here = _skip(text, at + 1, end)
    if text.startswith("}", here, end):
        return JsonObject(at, here + 1, members)
    while True:
        if not text.startswith('"', here, end):
            raise JsonSourceError("a name in double quotes should stand here", here)
        name = _string(text, here, end)
        here = _skip(text, _expected(text, _skip(text, name.end, end), end, ":"), end)
        value = _value(text, here, end, depth + 1)
        members[decoded(text, name)[0]] = value
        here = _skip(text, value.end, end)
        if text.startswith("}", here, end):
            return JsonObject(at, here + 1, members)
        here = _skip(text, _expected(text, here, end, ","), end)


def _expected(text: str, at: int, end: int, what: str) -> int:
    if text.startswith(what, at, end):
        return at + 1
    if at >= end:
        raise JsonSourceError(f"the text ends where {what!r} should stand", end)
    raise JsonSourceError(f"{what!r} should stand here, not {text[at]!r}", at)

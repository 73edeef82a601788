"""JSON in pieces: what `json.dumps` gives, without holding the whole of it."""

from __future__ import annotations

import json
from collections.abc import Iterator


def json_pieces(value: object, indent: int | None = None, depth: int = 0) -> Iterator[str]:
    """`json.dumps(value, allow_nan=False, indent=indent)` in pieces, where an iterator stands for a list.

    An iterator is taken item by item when its turn comes; it is looked for in objects that hold one themselves. The
    value stands `depth` levels deep. Raises ValueError for a number that JSON does not have.
    """
    if isinstance(value, Iterator):
        yield from _list(value, indent, depth)
    elif isinstance(value, dict) and any(isinstance(member, Iterator) for member in value.values()):
        yield from _object(value, indent, depth)
    else:
        # No line break of a string stands as it is in JSON: these are all of the layout.
        yield json.dumps(value, allow_nan=False, indent=indent).replace("\n", _line(indent, depth))


def _list(items: Iterator[object], indent: int | None, depth: int) -> Iterator[str]:
    is_empty = True
    for item in items:
        yield f"[{_line(indent, depth + 1)}" if is_empty else f"{_comma(indent)}{_line(indent, depth + 1)}"
        yield from json_pieces(item, indent, depth + 1)
        is_empty = False
    yield "[]" if is_empty else f"{_line(indent, depth)}]"


def _object(members: dict[str, object], indent: int | None, depth: int) -> Iterator[str]:
    before = "{"
    for key, member in members.items():
        yield f"{before}{_line(indent, depth + 1)}{json.dumps(key)}: "
        yield from json_pieces(member, indent, depth + 1)
        before = _comma(indent)
    yield f"{_line(indent, depth)}}}"


def _line(indent: int | None, depth: int) -> str:
    return "" if indent is None else "\n" + " " * (indent * depth)


def _comma(indent: int | None) -> str:
    return ", " if indent is None else ","

"""A first look at JSON that is probably no transcript, by the standard library's reader: it is ten times as fast.

It knows no places, so what it lets pass is read again by `json_source`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple


class _Seen(NamedTuple):
    """What is kept of a JSON object: whether it may be a record, and whether it names a message's speaker."""

    record: bool
    role: bool
    speaker: bool


_EVERY_SEEN = tuple(_Seen(bool(at & 4), bool(at & 2), bool(at & 1)) for at in range(8))


def may_hold_records(text: str, start: int, by_lines: bool) -> bool:
    """False where no value of text[start:], nor of its lines where it is read `by_lines`, can be a record of a shape.

    True says nothing.
    """
    part = text[start:]
    lines: Iterable[str] = part.split("\n") if by_lines else ()
    return _may_be(part) or any(_may_be(line) for line in lines if line.lstrip(" \t\r")[:1] in ("{", "["))


def _may_be(part: str) -> bool:
    try:
        value = _decoder.decode(part)
    except RecursionError:
        return True
    except ValueError:
        return False
    return _is_like_record(value) or (isinstance(value, list) and any(_is_like_record(item) for item in value))


def _is_like_record(value: object) -> bool:
    return value.record if isinstance(value, _Seen) else _all_seen(value, "role")


def _all_seen(said: object, what: str) -> bool:
    return (
        isinstance(said, list) and bool(said) and all(isinstance(item, _Seen) and getattr(item, what) for item in said)
    )


def _seen(members: dict[str, object]) -> _Seen:
    """Objects are let go of as soon as they are read: a large file has very many."""
    record = (
        _all_seen(members.get("messages"), "role")
        or _all_seen(members.get("conversations"), "speaker")
        or ("output" in members and ("pure_input" in members or "instruction" in members))
    )
    role, speaker = isinstance(members.get("role"), str), isinstance(members.get("from"), str)
    return _EVERY_SEEN[4 * record + 2 * role + speaker]


# Python reads no integer of more than some thousand digits; no number matters here.
_decoder = json.JSONDecoder(parse_int=float, object_hook=_seen)

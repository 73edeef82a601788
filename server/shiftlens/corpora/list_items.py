"""The items of a JSON list, found in its bytes as they come, without reading the list as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(rb'["\\\[\]{},\n]')
_IN_STRING = re.compile(rb'["\\\n]')
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Item:
    """The bytes of an item, without the spaces around it; None where it has too many. `line` is that of its start."""

    raw: bytes | None
    line: int


class ListReader:
    """Takes the bytes of a list in chunks of any length. What an item is made of is not checked, only where it ends.

    `line` counts from 1; `is_over` says that the list has ended, `has_rest` that something but spaces follows it, which
    is passed over.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._depth = 0
        self._in_string = self._is_escaped = False
        self._held = bytearray()
        self._is_too_long = False
        self._item_line: int | None = None
        self.line = 1
        self.is_over = self.has_rest = False

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """The items that end in this chunk."""
        at = 0
        while at < len(chunk) and not self.is_over:
            if self._is_escaped:
                self._take(chunk[at : at + 1])
                self._is_escaped = False
                at += 1
                continue
            found = (_IN_STRING if self._in_string else _TOKEN).search(chunk, at)
            if found is None:
                self._take(chunk[at:])
                return
            mark = found[0]
            if self._in_string:
                self._take(chunk[at : found.end()])
                self._is_escaped = mark == b"\\"
                self._in_string = mark != b'"'
                self.line += mark == b"\n"
            else:
                yield from self._structure(chunk[at : found.start()], mark)
            at = found.end()
        self.has_rest = self.has_rest or (self.is_over and bool(chunk[at:].strip()))

    def _structure(self, before: bytes, mark: bytes) -> Iterator[Item]:
        self._take(before)
        if mark in (b"[", b"{"):
            self._depth += 1
            if self._depth > 1:
                self._take(mark)
        elif mark in (b"]", b"}"):
            self._depth -= 1
            if self._depth:
                self._take(mark)
            else:
                yield from self._item()
                self.is_over = True
        elif mark == b"," and self._depth == 1:
            yield from self._item()
        else:
            self._take(mark)
            self._in_string = mark == b'"'
            self.line += mark == b"\n"

    def _take(self, raw: bytes) -> None:
        if self._depth == 0 or self._is_too_long:
            return
        if self._item_line is None:
            raw = raw.lstrip()
            if not raw:
                return
            self._item_line = self.line
        self._held += raw
        if len(self._held) > self._max:
            self._held.clear()
            self._is_too_long = True

    def _item(self) -> Iterator[Item]:
        if self._item_line is not None:
            yield Item(None if self._is_too_long else bytes(self._held).rstrip(), self._item_line)
        self._held.clear()
        self._is_too_long, self._item_line = False, None

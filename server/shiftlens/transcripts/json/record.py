"""A JSON object that is being read, which remembers what it was asked for.

So nothing is left out in silence: a member that no reader asked for, and that is not known to be of no matter, is
named in a problem.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.conversation import MAX_RESPONSES, Conversation, LineCounter, Problem
from shiftlens.transcripts.json.of_no_matter import OF_NO_MATTER
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonObject, JsonScalar, JsonString, decoded


class RecordError(ValueError):
    """A record of the right shape that can't be read, at `offset`."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


class Log:
    """What the readers of one file have to tell the user. The same sentence is told once, with its first line."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int]] = {}
        self._on_lines: list[Problem] = []

    def say(self, sentence: str, offset: int) -> None:
        """Tell the user `sentence`, of what stands at `offset`."""
        first, count = self._found.get(sentence, (offset, 0))
        self._found[sentence] = min(first, offset), count + 1

    def say_on_line(self, sentence: str, line: int) -> None:
        """Tell the user `sentence`, of a 1-based line."""
        self._on_lines.append((line, sentence))

    def left_out(self, name: str, offset: int) -> None:
        """Tell the user that a member was not read."""
        self.say(f"`{name}` was not read.", offset)

    def problems(self, text: str) -> list[Problem]:
        """What was told, by 1-based line."""
        lines = LineCounter(text)
        found = list(self._on_lines)
        for at, sentence, count in sorted((at, sentence, count) for sentence, (at, count) in self._found.items()):
            more = "" if count == 1 else f" (The same holds {count - 1:,} times more.)"
            found.append((lines.of(at), sentence + more))
        return sorted(found)


class Record:
    """A JSON value of a file. The methods that read a member of an object mark it as read.

    `path` is how the record is called within the file's records, "" for such a record itself.
    """

    def __init__(self, text: str, node: JsonNode, log: Log, path: str = "") -> None:
        self.text, self.node, self.log, self.path = text, node, log, path
        self._members = node.members if isinstance(node, JsonObject) else {}
        self._read: set[str] = set()
        self._inner: dict[str, Record] = {}

    @property
    def start(self) -> int:
        """Offset in the file."""
        return self.node.start

    def names(self) -> tuple[str, ...]:
        """The names of the members that are not null."""
        return tuple(key for key, node in self._members.items() if not _is_null(node))

    def has(self, key: str) -> bool:
        """Whether there is a member of this name that is not null. It does not count as read."""
        return not _is_null(self._members.get(key))

    def kind(self, key: str) -> type | None:
        """Which kind of node a member is; None where it is absent or null. It does not count as read."""
        node = self._members.get(key)
        return None if _is_null(node) else type(node)

    def lists_objects(self, key: str) -> bool:
        """Whether a member is a list of objects. It does not count as read."""
        node = self._members.get(key)
        return isinstance(node, JsonArray) and all(isinstance(item, JsonObject) for item in node.items)

    @property
    def is_null(self) -> bool:
        """Whether this value is null."""
        return _is_null(self.node)

    def own_text(self) -> tuple[str, SourceMap]:
        """The text of this value, where it is a string itself. Raises RecordError where it is none."""
        if not isinstance(self.node, JsonString):
            raise RecordError(f"`{self.path}` is no text", self.node.start)
        return decoded(self.text, self.node)

    def member(self, key: str) -> JsonNode | None:
        """The member of this name; None where there is none or it is null."""
        self._read.add(key)
        node = self._members.get(key)
        return None if _is_null(node) else node

    def string(self, key: str) -> tuple[str, SourceMap] | None:
        """The text of a member and the way back to the file; None where it is null or absent.

        Raises RecordError where it is no string.
        """
        node = self.member(key)
        if node is None:
            return None
        if not isinstance(node, JsonString):
            raise RecordError(f"`{self.named(key)}` is no text", node.start)
        return decoded(self.text, node)

    def word(self, key: str) -> str:
        """The text of a member that is a name or the like, "" where it is no string."""
        node = self.member(key)
        return decoded(self.text, node)[0] if isinstance(node, JsonString) else ""

    def peek(self, key: str) -> str:
        """The text of a member, "" where it is no string. It does not count as read."""
        node = self._members.get(key)
        return decoded(self.text, node)[0] if isinstance(node, JsonString) else ""

    def mapping(self, key: str) -> Record | None:
        """The member of this name, if it is an object: one record, however often it is asked for."""
        node = self.member(key)
        if not isinstance(node, JsonObject):
            return None
        if key not in self._inner:
            self._inner[key] = self.child(node, key)
        return self._inner[key]

    def items(self, key: str) -> tuple[Record, ...]:
        """The items of a member that is a list; none where it is absent or null.

        Raises RecordError where it is no list, or one of more than MAX_RESPONSES items.
        """
        node = self.member(key)
        if node is None:
            return ()
        if not isinstance(node, JsonArray):
            raise RecordError(f"`{self.named(key)}` is no list", node.start)
        return tuple(self.child(item, key) for item in self._counted(node, f"`{self.named(key)}`"))

    def own_items(self) -> tuple[Record, ...]:
        """The items of this value, where it is a list itself. Raises RecordError for more than MAX_RESPONSES."""
        node = self.node
        return tuple(self.child(item, "") for item in self._counted(node)) if isinstance(node, JsonArray) else ()

    def _counted(self, node: JsonArray, what: str = "a list") -> tuple[JsonNode, ...]:
        """The items, before anything is made of them: each takes hundreds of bytes, and two in the file."""
        if len(node.items) > MAX_RESPONSES:
            raise RecordError(
                f"{what} has {len(node.items):,} items, and {MAX_RESPONSES:,} are the most that are read", node.start
            )
        return tuple(node.items)

    def child(self, node: JsonNode, key: str) -> Record:
        """A value below the member `key` as a record of its own."""
        return Record(self.text, node, self.log, self.named(key) if key else self.path)

    def plain(self, key: str) -> object:
        """The member as the standard library reads it, None where it is absent."""
        node = self.member(key)
        return None if node is None else plain(self.text, node)

    def json_text(self, key: str) -> str:
        """The member's own JSON text as the file spells it, "" where it is null or absent."""
        node = self.member(key)
        return "" if node is None else self.text[node.start : node.end]

    def skip(self, *keys: str) -> None:
        """Say of members that they are of no matter here, or were read elsewhere."""
        self._read.update(keys)

    def was_read(self, key: str) -> bool:
        """Whether a reader asked for the member."""
        return key in self._read

    def finish(self) -> None:
        """Tell the user of members that were not read and that may matter.

        Numbers, true, false, null and what is empty are no text of anybody, nor are lists and objects of these.
        """
        for key, node in self._members.items():
            if key not in self._read and key not in OF_NO_MATTER and not _says_nothing(node):
                self.log.left_out(self.named(key), node.start)
        self._read.update(self._members)
        if isinstance(self.node, JsonObject) and self.node.repeated:
            for key in self.node.repeated:
                self.log.say(f"`{self.named(key)}` stands more than once; the last was read.", self.start)

    def named(self, key: str) -> str:
        """How a member is called in messages."""
        return f"{self.path}.{key}" if self.path else key


def each(read: Callable[[Record], Iterable[Conversation]]) -> Callable[[Sequence[Record]], Iterator[Conversation]]:
    """A format's `read` that goes record by record. A record that can't be read is left out, and the user told."""

    def read_all(records: Sequence[Record]) -> Iterator[Conversation]:
        for record in records:
            try:
                found = tuple(read(record))
            except RecordError as error:
                if len(records) == 1:
                    raise
                record.log.say(f"The record was left out: {error.reason}.", error.offset)
            else:
                record.finish()
                yield from found

    return read_all


def plain(text: str, node: JsonNode) -> object:
    """A value as the standard library reads it."""
    try:
        value: object = _decoder.decode(text[node.start : node.end])
    except ValueError:
        return _plain(text, node)
    return value


# Python reads no integer of more than some thousand digits; no number matters here.
_decoder = json.JSONDecoder(parse_int=float)


def _plain(text: str, node: JsonNode) -> object:
    """The value of near-JSON, which the standard library does not read."""
    if isinstance(node, JsonObject):
        return {key: _plain(text, member) for key, member in node.members.items()}
    if isinstance(node, JsonArray):
        return [_plain(text, item) for item in node.items]
    return decoded(text, node)[0] if isinstance(node, JsonString) else _decoder.decode(node.literal)


def _is_null(node: JsonNode | None) -> bool:
    return node is None or (isinstance(node, JsonScalar) and node.is_null)


def _says_nothing(node: JsonNode) -> bool:
    if isinstance(node, JsonObject):
        return all(_says_nothing(member) for member in node.members.values())
    if isinstance(node, JsonArray):
        return all(_says_nothing(item) for item in node.items)
    return isinstance(node, JsonScalar) or node.end - node.start == 2

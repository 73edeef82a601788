"""Which lines of a Claude Code log are one conversation.

Each line names the line before it. A session that was compacted or cleared begins a new tree, and so does a subagent.
Where the user went back and asked anew, a tree has several branches. Parallel tool calls look like branches too: they
are lines of one message, and results of its calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shiftlens.transcripts.json.branches import branch, others_left_out
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonObject

_CLEARED = "<command-name>/clear</command-name>"
_SAID = ("user", "assistant", "attachment")


class Line(NamedTuple):
    """A line of a log, with what says where it belongs. `parent` is None at the root of a tree."""

    record: Record
    type: str
    uuid: str
    parent: str | None
    names_parent: bool
    aside: bool
    begins: bool
    message_id: str
    calls: frozenset[str]
    answers: frozenset[str]

    @classmethod
    def of(cls, record: Record) -> Line:
        """A line as it stands in the file."""
        object_ = record.node.members if isinstance(record.node, JsonObject) else {}
        type_ = record.word("type")
        value = record.plain("message") if type_ in ("user", "assistant") else None
        message = value if isinstance(value, dict) else {}
        content = message.get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        texts = [content] if isinstance(content, str) else [str(block.get("text", "")) for block in blocks]
        compacted = type_ == "system" and record.word("subtype") == "compact_boundary"
        cleared = type_ == "user" and any(_CLEARED in text for text in texts)
        return cls(
            record,
            type_,
            record.word("uuid"),
            record.word("parentUuid") or None,
            "parentUuid" in object_,
            record.plain("isSidechain") is True,
            compacted or cleared,
            str(message.get("id") or "") if type_ == "assistant" else "",
            frozenset(str(block.get("id")) for block in blocks if block.get("type") == "tool_use"),
            frozenset(str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"),
        )


def conversations(lines: Sequence[Line]) -> Iterator[tuple[Line, ...]]:
    """The lines of each conversation, by the place of its first line; other branches are told and left out."""
    for tree in _trees(lines):
        if any(line.type in ("user", "assistant") for line in tree):
            yield _open_branch(tree)


def _trees(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines by the tree that they belong to, each with the line that it follows."""
    trees: list[list[Line]] = []
    tree_of: dict[str, int] = {}
    side_of: dict[str, bool] = {}
    last: dict[bool, Line] = {}
    known = {line.uuid for line in lines if line.uuid}
    for line in lines:
        if not line.uuid and line.type not in _SAID:
            continue
        parent = None if line.begins else line.parent
        if parent is not None and not (parent in tree_of and side_of[parent] == line.aside):
            if parent not in known:
                line.record.log.say(
                    "The line before this one (`parentUuid`) is not in the file; a new conversation begins here.",
                    line.record.start,
                )
            parent = None
        elif parent is None and line.aside in last and _goes_on(line):
            parent = last[line.aside].uuid
        placed = line._replace(parent=parent)
        if parent is None or parent not in tree_of:
            tree_of[line.uuid] = len(trees)
            trees.append([placed])
        else:
            tree_of[line.uuid] = tree_of[parent]
            trees[tree_of[parent]].append(placed)
        side_of[line.uuid] = line.aside
        last[line.aside] = placed
    return trees


def _goes_on(line: Line) -> bool:
    """Whether a line that names no line before it follows the last one: no conversation begins with an answer."""
    return not line.begins and (not line.names_parent or line.type == "assistant" or bool(line.answers))


def _open_branch(tree: Sequence[Line]) -> tuple[Line, ...]:
    """The branch of the last line that says something, with the other lines of its messages and their results."""
    if any(not line.uuid for line in tree):
        return tuple(tree)
    leaf = next(line.uuid for line in reversed(tree) if line.type in ("user", "assistant"))
    kept = set(branch({line.uuid: line.parent for line in tree}, leaf))
    messages = {line.message_id for line in tree if line.uuid in kept and line.message_id}
    calls = {call for line in tree if line.uuid in kept or line.message_id in messages for call in line.calls}
    found: list[Line] = []
    others = 0
    for line in tree:
        if line.uuid in kept or line.message_id in messages or line.answers & calls:
            found.append(line)
        elif line.type in ("user", "assistant"):
            others += 1
    if others:
        tree[0].record.log.say(others_left_out(others), tree[0].record.start)
    return tuple(found)

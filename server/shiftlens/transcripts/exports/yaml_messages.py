"""Conversations in YAML: a list of messages with roles, or mappings with `messages`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Conversation, Reading, Said, line_number
from shiftlens.transcripts.exports.yaml_scalars import scalar_map
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.json.of_no_matter import OF_NO_MATTER
from shiftlens.transcripts.json.record import Log
from shiftlens.transcripts.json.turns import turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS = 500_000

_LISTS = ("messages", "conversation", "conversations")
_SPEAKERS = (("role", "content"), ("from", "value"))
_REASONING = ("reasoning_content", "reasoning", "thinking")
_SYSTEM = ("system", "system_prompt")
# Looked for before YAML is imported and parsed, which is slow.
_ROLE = re.compile(r"\b(?:role|from)[\"']?[ ]*:[ ]")
_OPENS = re.compile(r"\s*(?:(?:#[^\n]*|---[^\n]*|%[^\n]*)\n\s*)*(?:-[ \n]|[\"']?\w[\w -]*[\"']?[ ]*:)")
_HOLDS = re.compile(
    r"^[ ]*(?:-[ ]+)?[\"']?(?:messages|conversations?)[\"']?[ ]*:|\A\s*(?:[#-][^\n]*\n\s*)*-[ ]", re.MULTILINE
)

_ANSWERING = tuple(name for name, role in TEMPLATE_ROLES.items() if role is Role.ASSISTANT)


class _Reader:
    """Reads the nodes of one file, and gathers what can't be read."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.start = text, start
        self.log = Log()

    def say(self, sentence: str, node: Any) -> None:
        self.log.say(sentence, self.start + node.start_mark.index)

    def conversations(self, root: Any) -> Iterator[Conversation]:
        if _messages_of(root) is not None:
            yield self._conversation(root)
            return
        for item in root.value if root.id == "sequence" else ():
            if _messages_of(item) is not None:
                yield self._conversation(item)
            else:
                self.say("The item has no list of messages with roles; it was left out.", item)

    def _conversation(self, node: Any) -> Conversation:
        messages = _messages_of(node)
        said: list[Said] = []
        for key, value in _members(node) if node.id == "mapping" else ():
            if key in _SYSTEM and value.id == "scalar":
                said.append(Said(turn(Role.SYSTEM, self._text(value, PartKind.TEXT), 0)))
            elif value is not messages:
                self._unread(key, value)
        for message in messages.value if messages is not None else ():
            found = self._turn(message)
            if found is not None:
                said.append(Said(found))
        return Conversation(tuple(said))

    def _turn(self, message: Any) -> Turn | None:
        members = dict(_members(message))
        who, what = next(names for names in _SPEAKERS if names[0] in members)
        name = members[who].value
        role = TEMPLATE_ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            self.say(f"The role {name!r} is not known; the turn was left out.", message)
            return None
        kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
        found: list[Part] = []
        for key in _REASONING:
            if key in members and role is Role.ASSISTANT:
                found += self._text(members[key], PartKind.REASONING)
        content = members.get(what)
        if content is not None:
            found += self._text(content, kind)
        for key, value in members.items():
            if key not in (who, what, "name", *_REASONING):
                self._unread(key, value)
        return turn(role, found, self.start + message.start_mark.index)

    def _text(self, node: Any, kind: PartKind) -> Iterator[Part]:
        """The text of a scalar, or of the parts of a list that have one."""
        if node.id == "scalar":
            if node.tag == "tag:yaml.org,2002:null":
                return
            first, past = self.start + node.start_mark.index, self.start + node.end_mark.index
            source = scalar_map(self.text, first, past, node.style, node.value)
            if source is None:
                raise TranscriptError(
                    "A folded text can't be led back to its characters in the file.",
                    "Write it as a literal block (`|`), or in quotes on one line.",
                    line=line_number(self.text, first),
                )
            if node.value:
                yield Part(kind, node.value, source)
            return
        for item in node.value if node.id == "sequence" else ():
            members = dict(_members(item)) if item.id == "mapping" else {}
            text = item if item.id == "scalar" else members.get("text")
            if text is None or text.id != "scalar":
                self.say("A content part has no text; it was left out.", item)
            else:
                yield from self._text(text, kind)

    def _unread(self, key: str, value: Any) -> None:
        if key not in OF_NO_MATTER and value.value and value.tag in _TEXTS:
            self.say(f"`{key}` was not read.", value)


_TEXTS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    for key, value in node.value:
        if key.id == "scalar":
            yield key.value, value


def _messages_of(node: Any) -> Any:
    """The list of messages that a node is, or holds; None where there is none."""
    if node.id == "mapping":
        return next((found for key, value in _members(node) if key in _LISTS and (found := _messages_of(value))), None)
    items = node.value if node.id == "sequence" else []
    return node if items and all(_is_message(item) for item in items) else None


def _is_message(node: Any) -> bool:
    members = dict(_members(node)) if node.id == "mapping" else {}
    return any(who in members and what in members for who, what in _SPEAKERS)


def read_yaml(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as YAML that holds conversations; None where it is none.

    Raises TranscriptError for one of more than MAX_CHARACTERS, and for a text in it that can't be led back to the file.
    """
    first = 1 if text.startswith("\ufeff") else 0
    if start > first and _may_be_messages(text[first:start]):
        # What was taken for front matter is the first document.
        start = first
    if not forced and not (_may_be_messages(text[start:]) and any(text.find(name, start) >= 0 for name in _ANSWERING)):
        return None
    if len(text) - start > MAX_CHARACTERS:
        raise TranscriptError(
            f"The YAML has {len(text) - start:,} characters, more than the limit of {MAX_CHARACTERS:,}.",
            "Split the file, or write it as JSON.",
        )
    roots = _roots(text[start:])
    reader = _Reader(text, start)
    found = tuple(each for root in roots for each in reader.conversations(root))
    answered = any(said.turn.role is Role.ASSISTANT for each in found for said in each.said)
    if not answered and not forced:
        return None
    if not found:
        raise TranscriptError("The YAML holds no list of messages with roles.", "Choose another format.")
    count = len(found)
    evidence = f"YAML with {count} list{'s' if count != 1 else ''} of messages"
    return Reading(evidence, found, tuple(reader.log.problems(text)))


def _may_be_messages(text: str) -> bool:
    return bool(_OPENS.match(text) and _ROLE.search(text) and _HOLDS.search(text))


def _roots(text: str) -> list[Any]:
    """The documents of a YAML text; none where it is not YAML. Aliases are not followed."""
    # YAML is imported only for files that look like it: the language server should start fast.
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses aliases, with which a short text could grow without bound."""

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise ValueError
            return super().compose_node(parent, index)

    try:
        return [root for root in yaml.compose_all(text, Loader) if root is not None]
    except (yaml.YAMLError, RecursionError, ValueError):
        return []


FORMAT = TextFormat(
    name="yaml",
    summary="YAML: a list of messages with role and content, or mappings with messages",
    examples=(
        Example(
            "chat.yaml",
            "messages:\n  - role: user\n    content: Why is the sky blue?\n"
            "  - role: assistant\n    content: |\n      Air scatters blue light more than red.\n",
        ),
    ),
    read=read_yaml,
)

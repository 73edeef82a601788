"""The `shiftlens` mapping in a file's YAML front matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Problem, line_number
from shiftlens.transcripts.roles import COMMON_WORDS, SYSTEM_NAMES, Speakers, spellings

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS = 8_000

_OPENING = re.compile(r"---[ \t]*\r?\n")
_CLOSING = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_OURS = re.compile(r"^shiftlens[ \t]*:", re.MULTILINE)
_KEY = re.compile(r"^(?P<quote>[\"']?)(?P<key>[\w.][\w. -]{0,60})(?P=quote)[ \t]*:(?=[ \t\r\n]|\Z)", re.MULTILINE)
_FIRST_LINE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*")
_BODY_LABEL = re.compile(r"\s*(?:\*\*)?([^\W\d_][\w ]{0,30}?)[ ]?(?:\([^()\n]*\))?[:：]")
# What broken scalars, tags and escapes raise while PyYAML reads them; not all of it is a YAMLError.
_READING_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
_DEEPEST = 20
# PyYAML takes long to find out how deep these are nested.
_TOO_DEEP = re.compile(rf"(?:[\[{{][ \t]*){{{_DEEPEST + 1}}}")
_SINGLE = ("str", "int", "float", "bool", "null")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`values` are the keys of the `shiftlens` mapping, `end` the offset at which the file's body begins."""

    end: int
    values: Mapping[str, object] = field(default_factory=dict)
    ours: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def speakers(self) -> Speakers:
        """The names of the two sides that the front matter gives (`user-name`, `assistant-name`)."""
        names = {re.sub(r"[-_]", "", str(key)).lower(): value for key, value in self.values.items()}
        user, assistant = names.get("username"), names.get("assistantname")
        return Speakers(str(user).strip() if user else "", str(assistant).strip() if assistant else "")


def read_front_matter(text: str, start: int = 0) -> FrontMatter:
    """The front matter that begins at `start`, if there is one.

    Front matter of others is skipped, whatever it holds: none of it is made into values, and it may be no YAML. Only a
    system prompt in it is a problem, as the model may have seen it. A conversation between rules is no front matter.
    Raises TranscriptError for a `shiftlens` mapping that is too long, is not YAML, or holds anything but single values.
    """
    none = FrontMatter(start)
    opening = _OPENING.match(text, start)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return none
    block = text[opening.end() : closing.start()]
    first_line = line_number(text, opening.end())
    if _is_conversation(block, text, closing.end()):
        return none
    mention = _OURS.search(block)
    if len(block) > MAX_CHARACTERS:
        if mention:
            raise TranscriptError(
                f"The front matter has {len(block):,} characters, more than the limit of {MAX_CHARACTERS:,}.",
                "Shorten it.",
                line=1,
            )
        return FrontMatter(closing.end()) if _has_keys(block) else none
    mention_line = first_line + line_number(block, mention.start()) - 1 if mention else None
    try:
        content = _compose(block)
    except _YamlError as error:
        if mention is None:
            return FrontMatter(closing.end()) if _has_keys(block) else none
        line = first_line + error.line if error.line is not None else mention_line
        raise TranscriptError(f"The front matter is not valid YAML: {error}.", "Mend it.", line=line) from None
    keys = _keys(content)
    if keys is None:
        return none
    if "shiftlens" not in keys:
        return FrontMatter(closing.end(), problems=_unread_system(keys, first_line))
    return FrontMatter(closing.end(), _checked(keys["shiftlens"], first_line), True)


def _is_conversation(block: str, text: str, end: int) -> bool:
    """Whether the block is turns between rules: all its keys are labels, and that of another speaker goes on below."""
    keys = [found["key"] for found in _KEY.finditer(block)]
    label = _BODY_LABEL.match(text, end)
    if not keys or label is None:
        return False
    names = [spellings().get(key) for key in (*keys, label[1])]
    same_case = all(key[0].isupper() is label[1][0].isupper() for key in keys)
    return same_case and names[-1] != names[-2] and not any(n is None or n in COMMON_WORDS for n in names)


def _has_keys(block: str) -> bool:
    """Whether the first line that is no comment is a key, as in front matter that is no valid YAML."""
    first = _FIRST_LINE.match(block)
    return first is not None and _KEY.match(block, first.end()) is not None


def _unread_system(keys: Mapping[str, yaml.Node], first_line: int) -> tuple[Problem, ...]:
    for key, node in keys.items():
        if key.lower().replace("_", " ").replace("-", " ") in SYSTEM_NAMES and str(node.value).strip():
            line = first_line + node.start_mark.line
            return ((line, f"`{key}` in the front matter was not read: write it as a `System:` turn."),)
    return ()


def _kind(node: yaml.Node) -> str:
    """ "scalar", "sequence" or "mapping"."""
    return str(getattr(node, "id", ""))


def _keys(content: yaml.Node | None) -> dict[str, yaml.Node] | None:
    """The keys of a mapping with their nodes; None for anything else."""
    if content is None or _kind(content) != "mapping":
        return None
    return {str(key.value): value for key, value in content.value if _kind(key) == "scalar"}


def _checked(ours: yaml.Node, first_line: int) -> dict[str, object]:
    if _kind(ours) == "scalar" and ours.tag.endswith(":null"):
        return {}
    line = first_line + ours.start_mark.line
    if _kind(ours) != "mapping":
        raise TranscriptError("`shiftlens` in the front matter is no mapping.", "Write `key: value` below it.", line)
    return {_name(key, first_line): _values(key, value, first_line) for key, value in ours.value}


def _name(key: yaml.Node, first_line: int) -> str:
    if _kind(key) == "scalar":
        return str(key.value)
    line = first_line + key.start_mark.line
    raise TranscriptError("A key under `shiftlens` in the front matter is no text.", "Write `key: value`.", line)


def _values(key: yaml.Node, node: yaml.Node, first_line: int) -> object:
    if _kind(node) == "sequence":
        return [_value(key, item, first_line) for item in node.value]
    return _value(key, node, first_line)


def _value(key: yaml.Node, node: yaml.Node, first_line: int) -> object:
    import yaml

    line = first_line + node.start_mark.line
    kind = node.tag.rpartition(":")[2]
    if _kind(node) != "scalar":
        raise TranscriptError(
            f"`{key.value}` under `shiftlens` in the front matter is neither a single value nor a list of them.",
            "Write one text, number or true/false after it, or several as `[1, 3]`.",
            line,
        )
    if kind not in _SINGLE or not node.tag.startswith("tag:yaml.org,2002:"):
        raise TranscriptError(
            f"`{key.value}` under `shiftlens` in the front matter is a {kind.lstrip('!')}, not a text, a number or"
            " true/false.",
            "Put the value in quotes, without a tag.",
            line,
        )
    try:
        value: object = yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, *_READING_ERRORS):
        raise TranscriptError(
            f"The front matter is not valid YAML: the value of `{key.value}` under `shiftlens` is no {kind}.",
            "Mend it, or put the value in quotes.",
            line,
        ) from None
    return value


class _YamlError(ValueError):
    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def _compose(block: str) -> yaml.Node | None:
    """The block as YAML nodes. Nothing is constructed of them, so that no tag means anything."""
    # YAML is imported only for files that have front matter: the language server should start fast.
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses aliases, with which a short text could grow without bound, and deep nesting, which takes long."""

        depth = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise _YamlError("aliases are not read")
            if self.depth > _DEEPEST:
                raise _YamlError("it is nested too deeply")
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    if _TOO_DEEP.search(block):
        raise _YamlError("it is nested too deeply")
    try:
        return yaml.compose(block, Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _YamlError(error.problem or "it can't be parsed", mark.line if mark else None) from None
    except RecursionError:
        raise _YamlError("it is nested too deeply") from None
    except _YamlError:
        raise
    except (yaml.YAMLError, *_READING_ERRORS) as error:
        raise _YamlError((str(error).splitlines() or ["it can't be parsed"])[0]) from None

"""The `shiftlens` mapping in a file's YAML front matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import line_number
from shiftlens.transcripts.roles import ALL_NAMES

MAX_CHARACTERS = 8_000

_OPENING = re.compile(r"---[ \t]*\r?\n")
_CLOSING = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_OURS = re.compile(r"^shiftlens[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`values` are the keys of the `shiftlens` mapping, `end` the offset at which the file's body begins."""

    end: int
    values: Mapping[str, object] = field(default_factory=dict)
    ours: bool = False


def read_front_matter(text: str, start: int = 0) -> FrontMatter:
    """The front matter that begins at `start`, if there is one.

    Front matter of others is skipped, whatever it holds. Raises TranscriptError for a `shiftlens` mapping that is
    too long, is not YAML, or holds anything but single values.
    """
    none = FrontMatter(start)
    opening = _OPENING.match(text, start)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return none
    block = text[opening.end() : closing.start()]
    mention = _OURS.search(block)
    if len(block) > MAX_CHARACTERS:
        if mention:
            raise TranscriptError(
                f"The front matter has {len(block):,} characters, more than the limit of {MAX_CHARACTERS:,}.",
                "Shorten it.",
                line=1,
            )
        return none
    first_line = line_number(text, opening.end())
    mention_line = first_line + block.count("\n", 0, mention.start()) if mention else None
    try:
        content = _load(block)
    except _YamlError as error:
        if mention is None:
            return none
        line = first_line + error.line if error.line is not None else mention_line
        raise TranscriptError(f"The front matter is not valid YAML: {error}.", "Mend it.", line=line) from None
    if not isinstance(content, dict):
        return none
    if "shiftlens" not in content:
        labels = any(str(key).lower() in ALL_NAMES for key in content)
        return none if labels else FrontMatter(closing.end())
    return FrontMatter(closing.end(), _checked(content["shiftlens"], mention_line), True)


def _checked(ours: object, line: int | None) -> dict[str, object]:
    if ours is None:
        return {}
    if not isinstance(ours, dict):
        raise TranscriptError("`shiftlens` in the front matter is no mapping.", "Write `key: value` below it.", line)
    for key, value in ours.items():
        values = value if isinstance(value, list) else [value]
        if not isinstance(key, str) or not all(isinstance(v, (str, int, float, bool, type(None))) for v in values):
            raise TranscriptError(
                f"`{key}` under `shiftlens` in the front matter is neither a single value nor a list of them.",
                "Write one text, number or true/false after it, or several as `[1, 3]`.",
                line,
            )
    return dict(ours)


class _YamlError(ValueError):
    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def _load(block: str) -> object:
    # YAML is imported only for files that have front matter: the language server should start fast.
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses aliases: with merge keys a short text could grow without bound."""

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise _YamlError("aliases are not read")
            return super().compose_node(parent, index)

    try:
        return yaml.load(block, Loader)  # noqa: S506 - a SafeLoader that refuses aliases
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _YamlError(error.problem or "it can't be parsed", mark.line if mark else None) from None
    except RecursionError:
        raise _YamlError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, _YamlError):
            raise
        raise _YamlError(str(error).splitlines()[0]) from None

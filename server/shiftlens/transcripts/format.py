"""What a format is: its name, what gives it away, how it is read, and examples of it.

Each format is one module with a constant `FORMAT`; `registry` lists the modules. Nothing else names a format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from shiftlens.transcripts.conversation import Conversation, Reading

if TYPE_CHECKING:
    from shiftlens.transcripts.json.record import Record
    from shiftlens.transcripts.roles import Speakers


@dataclass(frozen=True, slots=True)
class Example:
    """A small file of a format, which `shiftlens analyze` reads. `filename` may help to detect the format.

    `problems` is how many things its reading tells the user: more than none only where a format can't be read exactly.
    """

    filename: str
    text: str
    problems: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFormat:
    """A format of plain text.

    `read(text, start, forced)` reads text[start:], or gives None for a text that is not in the format; `forced` says
    that the user named the format: then it raises TranscriptError instead. A `prose` format is not looked for in files
    whose name says that they are code or data. `read_named` reads likewise where the user names the speakers; formats
    without it have names of their own. A format `by_model` is read by the chat template of the aligned model (see
    `text.model_template`), which `read` does not have.
    """

    name: str
    summary: str
    examples: tuple[Example, ...]
    read: Callable[[str, int, bool], Reading | None]
    prose: bool = False
    read_named: Callable[[str, int, bool, Speakers], Reading | None] | None = None
    by_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFormat:
    """A format of JSON or JSONL records.

    - evidence: what gives it away, in a few words for the user ('"messages" with roles').
    - marks: a file in the format holds every text of one of these groups. They are looked for before anything is
      parsed, so that other files cost nothing.
    - means_to_be: found in text that is meant to be in the format, also where its JSON is broken; then the user is told
      where it breaks. None where nothing short gives the format away.
    - matches: whether a value, as the standard library reads it, is a record of the format. It is asked for the whole
      file's value first, then for the items of a list.
    - read: the conversations of all records of the file that match, in order. It raises RecordError for a record that
      can't be read; a reader that goes record by record is made with `each`, which leaves out that record alone.
    - whole_file: all lines of the file are one thing, so that lines which do not match belong to it as well: `read`
      gets every record.
    - together: whether the values of a file, of which some match, are in the format together; None where it is enough
      that they match. It is not asked where the user named the format.
    """

    name: str
    summary: str
    examples: tuple[Example, ...]
    evidence: str
    marks: tuple[tuple[str, ...], ...]
    matches: Callable[[object], bool]
    read: Callable[[Sequence[Record]], Iterable[Conversation]]
    means_to_be: re.Pattern[str] | None = None
    whole_file: bool = False
    together: Callable[[Sequence[object]], bool] | None = None

    def may_be_in(self, text: str) -> bool:
        """Whether a text holds the marks of the format."""
        return any(all(mark in text for mark in group) for group in self.marks)


Format: TypeAlias = "TextFormat | JsonFormat"

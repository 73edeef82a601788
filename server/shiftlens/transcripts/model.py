"""What a transcript is: turns, responses, and the way back from their characters to the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import overload

from shiftlens.text.source_map import SourceMap, joined


class Role(str, Enum):
    """Who speaks in a turn."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class PartKind(str, Enum):
    """What a part of a turn is. A user's or a system turn has `TEXT` only; a tool's turn has `TOOL_RESULT`."""

    TEXT = "text"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"


class Trained(str, Enum):
    """What a file says of whether a model is trained on a turn, as the loss mask of supervised fine-tuning has it."""

    UNKNOWN = "unknown"
    YES = "yes"
    NO = "no"
    PARTLY = "partly"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the file gives it. `arguments` is JSON text, or what the file holds in its place."""

    name: str
    arguments: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a turn, of one kind. `text` is decoded (escapes undone), `source` leads back to the file.

    `marked` says that the text spells its own marks (`<think>`, `</think>`, `<tool_call>`), as it stands in the file:
    the part joins what is beside it, and no template puts marks around it. The text of a tool call is its arguments or,
    where it is marked, the call as the file spells it; `call` is set for every call that could be read.
    """

    kind: PartKind
    text: str
    source: SourceMap
    marked: bool = False
    call: ToolCall | None = None


class SavedKind(str, Enum):
    """In which shape a file holds logprobs. The values are what users are told."""

    CHAT = "chat `logprobs.content`"
    COMPLETIONS = "completions `logprobs.tokens`"
    ITEMS = "a list of tokens with `logprob`"
    PROMPT = "vLLM `prompt_logprobs`"
    SGLANG = "SGLang `meta_info`"
    GEMINI = "Gemini `logprobsResult`"
    NUMBERS = "logprobs without their tokens"
    ALIGNTDS = "AlignTDS candidates of both models"


@dataclass(frozen=True, slots=True)
class SavedLogprobs:
    """Logprobs that a file holds of a turn, unread: the JSON texts of its pieces, one after the other.

    `model` is who gave them, "" where the file does not say; `start` is where they stand in the file.
    """

    kind: SavedKind
    pieces: tuple[str, ...]
    model: str = ""
    start: int = 0

    @property
    def names_tokens(self) -> bool:
        """Whether they say of which tokens they are, so that they can be shown."""
        return self.kind is not SavedKind.NUMBERS


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `parts` are in the order in which the speaker wrote them, which may not be the file's.

    `name` is who speaks where the file says so (a tool's name); `call_id` is the call that a tool's turn answers.
    `trained` is the file's loss mask, of an assistant's turn. `saved` are logprobs that the file holds of such a turn;
    of several, the first that fit its text count. Turns that say the same are equal whatever logprobs the file holds of
    them: these may be megabytes, and a response is compared with all turns before it at each edit.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    call_id: str = ""
    trained: Trained = Trained.UNKNOWN
    saved: tuple[SavedLogprobs, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, role: Role, text: str, source: SourceMap) -> Turn:
        """The turn that is one text."""
        kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
        return cls(role, (Part(kind, text, source),))

    @property
    def text(self) -> str:
        """What was said: the texts of the turn, or of a tool its results; without reasoning and tool calls."""
        return "".join(part.text for part in self.parts if part.kind in (PartKind.TEXT, PartKind.TOOL_RESULT))

    @property
    def source_start(self) -> int:
        """Offset in the file of the first of its parts there."""
        return min((part.source.source_start for part in self.parts), default=0)

    @property
    def source_end(self) -> int:
        """Offset in the file just past the last of its parts there."""
        return max((part.source.source_end for part in self.parts), default=0)


class Before(Sequence[Turn]):
    """The turns of a conversation before the one at `end`, without a copy of them.

    A log of thousands of turns has as many responses: with a tuple for each, memory would grow with turns x turns.
    Equal to another sequence of this kind, and to a tuple, of equal turns.
    """

    __slots__ = ("end", "turns")

    def __init__(self, turns: tuple[Turn, ...], end: int) -> None:
        self.turns, self.end = turns, end

    def __len__(self) -> int:
        return self.end

    @overload
    def __getitem__(self, at: int) -> Turn: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Turn, ...]: ...
    def __getitem__(self, at: int | slice) -> Turn | tuple[Turn, ...]:
        taken = range(self.end)[at]
        return self.turns[taken] if isinstance(taken, int) else tuple(self.turns[each] for each in taken)

    def __iter__(self) -> Iterator[Turn]:
        return islice(self.turns, self.end)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Before, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(own is its or own == its for own, its in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True, slots=True)
class Response:
    """An assistant's turn with all that came before it.

    - index: its number in the file, from 0; `conversation` and `turn_index` number the conversation in the file and the
      turn in the conversation.
    - end_marker: the literal that ends the response in the file where it has one (`</s>`, `<|im_end|>`); it is not part
      of the turn.
    - verbatim_prefix: the file's own text before the response where the file is written in a chat template (newlines as
      LF), and None elsewhere.
    - tools: the tools that the model was offered, as the JSON text of a list; "" for none.
    - label: which of several answers to one prompt this is, in the file's word ("chosen", "rejected"); "" for the one.
    - notes: what the reader of the file has to say of this response, in whole sentences.
    - without_prompt: what came before it is not known, so that no model can score it; why, in a sentence, else "".
    """

    index: int
    context: Sequence[Turn]
    turn: Turn
    end_marker: str | None = None
    verbatim_prefix: str | None = None
    conversation: int = 0
    turn_index: int = 0
    tools: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()
    without_prompt: str = ""

    @property
    def text(self) -> str:
        """The answer alone: the turn without its reasoning and its tool calls."""
        return self.turn.text

    def passage(self, parts: Sequence[int]) -> tuple[str, SourceMap]:
        """The texts of some parts of the turn, by index, as one. Raises ValueError where there are none."""
        return joined([(self.turn.parts[at].text, self.turn.parts[at].source) for at in parts])


@dataclass(frozen=True, slots=True)
class Transcript:
    """A file read as a conversation, or as several (a JSONL file holds one on each line).

    `format` is the detected format's name; `detected_by` says in a few words what gave it away, for the user to
    check. `front_matter` holds the keys of the `shiftlens` mapping in the YAML front matter. `problems` lists
    parts that could not be read while the rest could (one bad line among good ones), as (1-based line, message).
    `conversations` holds the turns of every conversation, those without a response too; `tools` and `notes` have for
    each of them what its responses have (see `Response`).
    """

    format: str
    detected_by: str
    responses: tuple[Response, ...]
    front_matter: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[tuple[int, str], ...] = ()
    conversations: tuple[tuple[Turn, ...], ...] = ()
    tools: tuple[str, ...] = ()
    notes: tuple[tuple[str, ...], ...] = ()

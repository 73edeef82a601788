"""Conversations as they are put together from rendered text, turn by turn."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    MAX_PREFIX_CHARACTERS,
    Conversation,
    LineCounter,
    Problem,
    Reading,
    Said,
    check_turns,
    with_lf,
)
from shiftlens.transcripts.marked_calls import bare_call
from shiftlens.transcripts.model import PartKind, Role, Turn

_PROMPT = re.compile(
    r"\s*(?:<think>\s*(?:</think>)?|</think>|\[THINK\]|<\|START_THINKING\|>(?:<\|END_THINKING\|>)?"
    r"|<\|channel>thought\s*(?:<channel\|>)?)\s*"
)
"""What generation prompts put behind the last header: a thought, opened or empty. It is no answer of the model."""


@dataclass(slots=True)
class Rendered:
    """What was read of a text so far. Offsets must be given in ascending order."""

    text: str
    _done: list[tuple[Conversation, int, list[int]]] = field(default_factory=list)
    _said: list[Said] = field(default_factory=list)
    _notes: tuple[str, ...] = ()
    _firsts: list[int] = field(default_factory=list)
    _begin: int = 0
    _prefixes: int = 0
    _problems: list[tuple[int, str]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether no conversation has begun."""
        return not self._said and not self._done

    def begin(self, at: int, *, bos: str = "", times: int = 0, note: str = "") -> None:
        """A conversation begins at `at`, with `times` beginning-of-text markers."""
        self._finish()
        self._begin = at
        if times > 1:
            note = f"The conversation begins with {times} `{bos}`, where templates write one."
        self._notes = (note,) if note else ()

    def turn(self, role: Role, turn: Turn, first: int, marker: str | None, header: int | None = None) -> None:
        """A turn whose text begins at `first`, and whose header begins at `header`.

        An assistant's turn before a tool's that is nothing but the JSON of a call is one, though it has no marks. A
        system turn after an answer begins a new conversation, which the answers in it say.
        """
        if role is Role.SYSTEM and any(said.turn.role is Role.ASSISTANT for said in self._said):
            self.begin(
                first if header is None else header,
                note="A system turn after an answer was read as the beginning of another conversation.",
            )
        if role is Role.ASSISTANT:
            self._prefixes += first - self._begin
            if self._prefixes > MAX_PREFIX_CHARACTERS:
                raise TranscriptError(
                    "The conversations of the file are too long: what comes before the answers is more than"
                    f" {MAX_PREFIX_CHARACTERS:,} characters in all.",
                    "Split the file.",
                )
        if role is Role.TOOL and self._said:
            self._said[-1] = _calling(self._said[-1])
        prompt = role is Role.ASSISTANT and marker is None and _PROMPT.fullmatch(turn.text) is not None
        self._said.append(Said(turn, marker, scored=not prompt))
        self._firsts.append(first)
        check_turns(len(self._said))

    def problem(self, at: int, message: str) -> None:
        """Something at `at` could not be read."""
        self._problems.append((at, message))

    def reading(self, sign: str) -> Reading | None:
        """All that was read, `sign` being what each turn was known by; None where there is no turn."""
        self._finish()
        count = sum(len(conversation.said) for conversation, _, _ in self._done)
        if not count:
            return None
        evidence = f"{count} {sign}{'s' if count != 1 else ''}"
        if len(self._done) > 1:
            evidence += f" in {len(self._done)} conversations"
        lines = LineCounter(self.text)
        problems: list[Problem] = [(lines.of(at), message) for at, message in sorted(self._problems)]
        conversations = tuple(self._with_prefixes(*conversation) for conversation in self._done)
        return Reading(evidence, conversations, tuple(problems))

    def _with_prefixes(self, conversation: Conversation, begin: int, firsts: list[int]) -> Conversation:
        """The conversation with the file's own text before each answer: built last, when it is known to be bounded."""
        said = tuple(
            replace(said, verbatim_prefix=with_lf(self.text[begin:first])) if said.turn.role is Role.ASSISTANT else said
            for said, first in zip(conversation.said, firsts, strict=True)
        )
        return replace(conversation, said=said)

    def _finish(self) -> None:
        if self._said:
            self._done.append((Conversation(tuple(self._said), notes=self._notes), self._begin, self._firsts))
        self._said, self._firsts = [], []
        self._notes = ()


def _calling(said: Said) -> Said:
    turn = said.turn
    if turn.role is not Role.ASSISTANT or [part.kind for part in turn.parts] != [PartKind.TEXT]:
        return said
    call = bare_call(turn.text)
    if call is None:
        return said
    part = replace(turn.parts[0], kind=PartKind.TOOL_CALL, marked=True, call=call)
    return replace(said, turn=replace(turn, parts=(part,)))

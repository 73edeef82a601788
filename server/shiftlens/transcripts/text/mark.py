"""The lines that begin turns, before it is known which of them do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

from shiftlens.transcripts.roles import CALL_NAMES, REASONING_NAMES, RESULT_NAMES, SYSTEM_NAMES, Pair


class Speaks(Enum):
    """What stands under a mark."""

    SYSTEM = auto()
    USER = auto()
    ASSISTANT = auto()
    REASONING = auto()
    TOOL_CALL = auto()
    TOOL_RESULT = auto()


@dataclass(frozen=True, slots=True)
class Mark:
    """A label or heading. `spelling` is all of it that is the same each time, `shown` what a user is shown.

    `own_line` says that nothing else may stand on its line, as with a heading.
    """

    speaks: Speaks
    spelling: str
    shown: str
    start: int
    text_start: int
    own_line: bool = False

    @property
    def auxiliary(self) -> bool:
        """Whether it stands for something beside what the sides say to each other."""
        return self.speaks in (Speaks.REASONING, Speaks.TOOL_CALL, Speaks.TOOL_RESULT)


def speaks(name: str, pair: Pair) -> Speaks | None:
    """What a name in lower case stands for in a conversation of this pair."""
    if name in pair.user:
        return Speaks.USER
    if name in pair.assistant:
        return Speaks.ASSISTANT
    if name in SYSTEM_NAMES:
        return Speaks.SYSTEM
    if name in REASONING_NAMES:
        return Speaks.REASONING
    if name in CALL_NAMES:
        return Speaks.TOOL_CALL
    return Speaks.TOOL_RESULT if name in RESULT_NAMES else None


@cache
def side_names(pairs: tuple[Pair, ...]) -> frozenset[str]:
    """Every name of a side or of the system in these pairs: most lines of a long file have none, and cost one look."""
    return SYSTEM_NAMES.union(*(pair.user | pair.assistant for pair in pairs))


@cache
def known_names(pairs: tuple[Pair, ...]) -> frozenset[str]:
    """Every name that stands for something in these pairs (see `speaks`)."""
    return side_names(pairs) | REASONING_NAMES | CALL_NAMES | RESULT_NAMES


def own_answers(marks: Sequence[tuple[Speaks | None, bool]]) -> list[int]:
    """Which of the answering marks, by index, may be the file's own and not answer a question quoted in a turn.

    Each mark is given as what it stands for and, of an asking one, whether it is spelled as the file's first. A quoted
    question is followed by a quoted answer.
    """
    found: list[int] = []
    quoted = False
    for at, (as_, is_own) in enumerate(marks):
        if as_ is Speaks.USER:
            quoted = not is_own
        elif as_ is Speaks.ASSISTANT:
            if not quoted:
                found.append(at)
            quoted = False
    return found


def settled(marks: Sequence[Mark], begins: Collection[int] = ()) -> tuple[Mark, ...]:
    """The marks without those of reasoning and tools that may as well be words of a question or an answer.

    Such marks count where an answer's mark follows and they stand after a question (a tool's result only after a call),
    or after an answer with a tool's result among them. Spellings that counted once count after an answer, and at the
    end of the file, too. Marks that start at an offset of `begins` begin a conversation: they answer nothing before
    them.
    """
    runs = list(_runs(marks, begins))
    sure = {mark.spelling for before, run, after in runs if _is_sure(before, run, after) for mark in run}
    kept: list[Mark] = []
    for before, run, after in runs:
        again = before is not None and all(mark.spelling in sure for mark in run)
        if _is_sure(before, run, after) or (again and (after is None or before is not Speaks.USER)):
            kept += run
    kept += (mark for mark in marks if not mark.auxiliary)
    return tuple(sorted(kept, key=lambda mark: mark.start))


def _runs(marks: Iterable[Mark], begins: Collection[int]) -> Iterable[tuple[Speaks | None, list[Mark], Speaks | None]]:
    """Marks of reasoning and tools in a row, with what stands before and after them."""
    before: Speaks | None = None
    run: list[Mark] = []
    for mark in marks:
        if mark.auxiliary:
            run.append(mark)
            continue
        if run:
            yield before, run, None if mark.start in begins else mark.speaks
        before, run = mark.speaks, []
    if run:
        yield before, run, None


def _is_sure(before: Speaks | None, run: Sequence[Mark], after: Speaks | None) -> bool:
    if after is not Speaks.ASSISTANT:
        return False
    if before is Speaks.USER:
        return run[0].speaks is not Speaks.TOOL_RESULT
    return before is Speaks.ASSISTANT and any(mark.speaks is Speaks.TOOL_RESULT for mark in run)

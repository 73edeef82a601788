"""From the marks that begin turns (labels or headings) to conversations."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shiftlens.transcripts.conversation import Conversation, LineCounter, Problem, Said, check_turns, passage, trimmed
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.text.between import Gap, Heading, Headings, gap_before, rule_at_end
from shiftlens.transcripts.text.endings import end_marker
from shiftlens.transcripts.text.mark import Mark, Speaks
from shiftlens.transcripts.text.reasoning import answer_parts, text_span

_MAY_FOLLOW = {
    None: (Speaks.SYSTEM, Speaks.USER, Speaks.ASSISTANT),
    Speaks.SYSTEM: (Speaks.USER, Speaks.ASSISTANT),
    Speaks.USER: (Speaks.ASSISTANT,),
    Speaks.ASSISTANT: (Speaks.USER,),
    Speaks.TOOL_RESULT: (Speaks.ASSISTANT, Speaks.USER),
}
_ROLES = {Speaks.SYSTEM: Role.SYSTEM, Speaks.USER: Role.USER, Speaks.TOOL_RESULT: Role.TOOL}

_Doubt = tuple[int, str]
"""An offset, and what is to be said of it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a reader found in a file.

    - marks: those in the spellings with which the file began, outside of fenced code, in order.
    - headings: all other headings outside of fenced code.
    - lead: the heading right before the first mark, where there is one.
    - deepest: the deepest level of a heading that can stand between turns.
    - strangers: marks of an assistant in other spellings, in order.
    """

    text: str
    marks: Sequence[Mark]
    headings: Headings
    lead: Heading | None = None
    deepest: int = 6
    strangers: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class _Section:
    """A mark, where the text under it ends, and whether a rule stands there."""

    mark: Mark
    end: int
    ruled: bool


def conversations(layout: Layout) -> tuple[tuple[Conversation, ...], tuple[Problem, ...]]:
    """The conversations under the marks, and what was left out or is doubtful.

    A mark out of turn is text of the turn it stands in, and is reported. A heading like the one before the first mark,
    or one that counts ("Example 2"), begins a new conversation, as does a system mark after an answer where the file
    began with one. Rules and blank lines around turns are no text. Raises TranscriptError for a conversation that is
    too long.
    """
    found, doubts = _in_turn(layout)
    starts = [stranger.start for stranger in layout.strangers]
    read: list[Conversation] = []
    for sections in found:
        check_turns(len(sections))
        said = tuple(_said(sections, layout))
        doubts += _doubts(sections, said, layout.strangers, starts)
        if said[0].turn.role is Role.ASSISTANT:
            said = (replace(said[0], scored=False), *said[1:])
        read.append(Conversation(said))
    lines = LineCounter(layout.text)
    return tuple(read), tuple((lines.of(at), what) for at, what in sorted(doubts))


def _in_turn(layout: Layout) -> tuple[list[list[_Section]], list[_Doubt]]:
    """The marks that take turns, by conversation."""
    text, marks = layout.text, layout.marks
    found: list[list[_Section]] = []
    doubts: list[_Doubt] = []
    turns: list[Mark] = []
    ends: list[tuple[int, bool]] = []

    def close() -> None:
        found.append([_Section(mark, *end) for mark, end in zip(turns, ends, strict=True)])

    for at, mark in enumerate(marks):
        if not turns:
            turns = [mark]
            continue
        gap = gap_before(text, turns[-1].text_start, mark.start, layout.headings)
        if _begins_anew(mark, turns, gap, layout):
            ends.append((gap.start, gap.ruled))
            close()
            turns, ends = [mark], []
        elif _is_next_system(marks, at, turns):
            ends.append(_end_before(mark, turns[-1], gap, layout, doubts))
            close()
            turns, ends = [mark], []
        elif mark.auxiliary or mark.speaks in _MAY_FOLLOW[_speaker(turns)] or _goes_on(turns[-1], mark, gap):
            ends.append(_end_before(mark, turns[-1], gap, layout, doubts))
            turns.append(mark)
        else:
            doubts.append((mark.start, f"`{mark.shown}` is out of turn here and was read as text."))
    if turns:
        # A rule at the end of the file is text, unless the file parts its turns by rules.
        ruled = any(was for _, was in ends) or any(section.ruled for each in found for section in each)
        end = rule_at_end(text, turns[-1].text_start, len(text)) if ruled else len(text)
        ends.append((end, False))
        close()
    return found, doubts


def _speaker(turns: Sequence[Mark]) -> Speaks | None:
    """Who spoke last. Thoughts and calls belong to an assistant's turn that is still to come."""
    parts = (Speaks.REASONING, Speaks.TOOL_CALL)
    return next((mark.speaks for mark in reversed(turns) if mark.speaks not in parts), None)


def _begins_anew(mark: Mark, turns: Sequence[Mark], gap: Gap, layout: Layout) -> bool:
    """Whether the headings before a mark begin a new conversation with it."""
    may_be_first = mark.speaks in (Speaks.USER, Speaks.SYSTEM) or mark.speaks is turns[0].speaks
    return may_be_first and any(
        heading.level <= layout.deepest
        and not heading.numbers_a_turn
        and (heading.counts or (layout.lead is not None and heading.level <= layout.lead.level))
        for heading in gap.headings
    )


def _is_next_system(marks: Sequence[Mark], at: int, turns: Sequence[Mark]) -> bool:
    """Whether a system mark begins a new conversation: after an answer, where the file began with one."""
    before = turns[-1].speaks in (Speaks.ASSISTANT, Speaks.TOOL_RESULT)
    after = at + 1 < len(marks) and marks[at + 1].speaks in (Speaks.USER, Speaks.ASSISTANT)
    return marks[at].speaks is marks[0].speaks is Speaks.SYSTEM and before and after


def _goes_on(before: Mark, mark: Mark, gap: Gap) -> bool:
    """Whether an assistant's turn follows one, as agents' logs have them: each under a mark of its own, ruled off."""
    return before.speaks is mark.speaks is Speaks.ASSISTANT and mark.own_line and gap.ruled


def _end_before(mark: Mark, before: Mark, gap: Gap, layout: Layout, doubts: list[_Doubt]) -> tuple[int, bool]:
    """Where the text before a mark of the same conversation ends, and whether a rule was between.

    Headings right before a mark are no text after an answer, or where they count turns. They are where they stand in a
    question, are all of an answer, or are deeper than headings between turns can be.
    """
    if not gap.headings or any(heading.level > layout.deepest for heading in gap.headings):
        return gap.rules_start, gap.ruled
    first = gap.headings[0]
    if first.numbers_a_turn:
        return gap.start, gap.ruled
    if before.speaks is not Speaks.ASSISTANT or not gap.apart:
        return gap.rules_start, gap.ruled
    doubts.append((first.start, f"The heading `{first.shown}` before `{mark.shown}` was left out of the answer."))
    return gap.start, gap.ruled


def _said(sections: Sequence[_Section], layout: Layout) -> list[Said]:
    """The turns of one conversation. End markers are no text of answers, nor of other turns where answers have them."""
    text = layout.text
    spans = [text_span(text, section.mark.text_start, section.end) for section in sections]
    ends = [end_marker(text, *span) for span in spans]
    answers_end = any(
        end and section.mark.speaks is Speaks.ASSISTANT for end, section in zip(ends, sections, strict=True)
    )
    said: list[Said] = []
    parts: list[Part] = []
    for at, (section, (first, last), end) in enumerate(zip(sections, spans, ends, strict=True)):
        speaks = section.mark.speaks
        if end and answers_end:
            last = max(first, trimmed(text, first, end[1])[1])
        if speaks in _ROLES:
            said.append(Said(Turn.of(_ROLES[speaks], *passage(text, first, last))))
            continue
        if speaks is Speaks.ASSISTANT:
            parts += answer_parts(text, first, last, layout.headings)
        else:
            is_call = speaks is Speaks.TOOL_CALL
            kind = PartKind.TOOL_CALL if is_call else PartKind.REASONING
            parts.append(Part(kind, *passage(text, first, last), marked=is_call))
        following = sections[at + 1].mark.speaks if at + 1 < len(sections) else None
        if following in (None, *_ROLES) or speaks is following is Speaks.ASSISTANT:
            said.append(Said(Turn(Role.ASSISTANT, tuple(parts)), end[0] if end else None))
            parts = []
    return said


def _doubts(
    sections: Sequence[_Section], said: Sequence[Said], strangers: Sequence[Mark], starts: Sequence[int]
) -> list[_Doubt]:
    """What a reviewer should look at: a greeting that can't be scored, a foreign label, a question not answered."""
    doubts: list[_Doubt] = []
    first, last = sections[0].mark, sections[-1].mark
    if said[0].turn.role is Role.ASSISTANT:
        what = f"`{first.shown}` begins the conversation: it is context of what follows, and is not scored itself."
        doubts.append((first.start, what))
    answer = next((section.mark for section in sections if section.mark.speaks is Speaks.ASSISTANT), None)
    if answer is None:
        return doubts
    for section in sections:
        at = bisect_right(starts, section.mark.start)
        if section.mark.speaks is Speaks.USER and at < len(starts) and starts[at] < section.end:
            what = f"`{strangers[at].shown}` was read as text: the answers of this file begin with `{answer.shown}`."
            doubts.append((starts[at], what))
    if last.speaks is Speaks.USER:
        what = (
            f"The last `{last.shown}` has no answer after it. If it is text of the answer before it, indent it or put"
            f" it in a code fence; if its answer is still to come, put `{answer.shown}` below it."
        )
        doubts.append((last.start, what))
    return doubts

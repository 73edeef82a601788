"""Conversations whose turns stand under Markdown headings such as `## User` and `## Assistant`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Problem, Reading, line_number, trimmed
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.roles import Pair, Speakers, pair_of
from shiftlens.transcripts.text.between import Heading, Headings, after_counting_headings, is_rule
from shiftlens.transcripts.text.fences import Fences
from shiftlens.transcripts.text.headings import headings_from, words_of
from shiftlens.transcripts.text.mark import Mark, Speaks, known_names, own_answers, settled, side_names, speaks
from shiftlens.transcripts.text.turns import Layout, conversations

_QUICK = re.compile(r"(?:^|\A\ufeff)[ ]{0,3}#{1,6}[ \t]", re.MULTILINE)
_NUMBERED = re.compile(r"[ ]\d+\Z")
# What exports put below a title: "**Model:** x", "- Date: y", "> quoted", "*Exported on z*", a link, a comment.
_METADATA = re.compile(
    r"[ \t]*(?:[-*>_<\[(!|]|[\w ]{1,30}[:：][ \t]|[\w ]*\b(?:export|creat|generat|saved)\w*)", re.IGNORECASE
)
_USUAL = Speakers()


@dataclass(frozen=True, slots=True)
class _Sides:
    """The headings with which a file's conversation began.

    Both sides are of one level, save for pages that were copied from ChatGPT ("You said", "ChatGPT said").
    """

    pair: Pair
    user: Heading
    assistant: Heading
    system: Heading | None

    def speaks(self, heading: Heading) -> Speaks | None:
        """What a heading stands for; None for one of another level or spelling than the file's."""
        found = speaks(_name(heading), self.pair)
        if found in (Speaks.REASONING, Speaks.TOOL_CALL, Speaks.TOOL_RESULT):
            return found if heading.level == self.user.level else None
        own = {Speaks.USER: self.user, Speaks.ASSISTANT: self.assistant, Speaks.SYSTEM: self.system}
        first = own[found] if found else None
        if first is None or first.level != heading.level or first.words != heading.words:
            return None
        return found


def read_markdown(text: str, start: int, forced: bool, speakers: Speakers = _USUAL) -> Reading | None:
    """Read text[start:] as turns under role headings; None where it is not that.

    The first level at which a heading of the asking side has one of the answering side sets level and spelling: only
    such headings part turns, so that headings inside answers are text. Where other headings of that level come before
    the first, the file is some other document, unless there are two questions with answers, or `forced`. Blank lines
    around a turn's text and rules (`---`) between turns are not text.
    """
    speakers = Speakers(words_of(speakers.user), words_of(speakers.assistant))
    if not _QUICK.search(text, start):
        return None if not forced else _refuse()
    headings = tuple(headings_from(text, start))
    names = known_names(speakers.pairs)
    every = [named for heading in headings if heading.words and (named := _named(heading, speakers, names))]
    sides = _sides(text, start, every, speakers)
    if sides is None:
        return None if not forced else _refuse()
    own = [(heading, as_) for heading in every if (as_ := sides.speaks(heading)) is not None]
    fences = Fences(text, start, [(heading.start, heading.text_start) for heading, _ in own])
    candidates = [_mark(heading, as_) for heading, as_ in own if not fences.holds(heading.start)]
    begins = after_counting_headings(text, [mark.start for mark in candidates], headings)
    marks = settled(candidates, begins)
    taken = {mark.start for mark in marks}
    others = [h for h in headings if h.start not in taken and not fences.holds(h.start)]
    before = [heading for heading in others if heading.start < marks[0].start]
    if not forced and not _is_conversation(text, start, sides, marks, before):
        return None
    lead = before[-1] if before and not text[before[-1].text_start : marks[0].start].strip() else None
    deepest = sides.user.level - (lead is None or lead.level != sides.user.level)
    strangers = [
        _mark(heading, Speaks.ASSISTANT)
        for heading in others
        if heading.level == sides.user.level and _name(heading) in sides.pair.assistant
    ]
    read, problems = conversations(Layout(text, marks, Headings(others), lead, deepest, strangers))
    evidence = (
        f"`{sides.user.shown}` on line {line_number(text, sides.user.start)} and "
        f"`{sides.assistant.shown}` on line {line_number(text, sides.assistant.start)}"
    )
    return Reading(evidence, read, (*_left_out(text, start, marks[0]), *problems))


def _sides(text: str, start: int, every: Sequence[Heading], speakers: Speakers) -> _Sides | None:
    """The first asking heading of a level that has an answering one too, outside of fenced code."""
    names = side_names(speakers.pairs)
    roles = [heading for heading in every if _name(heading) in names]
    fences = Fences(text, start, [(heading.start, heading.text_start) for heading in roles])
    by_level: dict[int, list[Heading]] = {}
    for heading in roles:
        if not fences.holds(heading.start):
            copied = _name(heading).endswith(" said")
            by_level.setdefault(0 if copied else heading.level, []).append(heading)
    found: list[_Sides] = []
    for same in by_level.values():
        answers = {pair: [h for h in same if _name(h) in pair.assistant] for pair in speakers.pairs}
        for user, pair in ((h, p) for h in same if (p := pair_of(_name(h), speakers.pairs))):
            if answers[pair] and answers[pair][-1].start > user.start:
                system = next((h for h in same if speaks(_name(h), pair) is Speaks.SYSTEM), None)
                own = own_answers([(speaks(_name(h), pair), h.words == user.words) for h in same])
                assistant = same[own[0]] if own else answers[pair][0]
                found.append(_Sides(pair, user, assistant, system))
                break
    return min(found, key=lambda sides: sides.user.start, default=None)


def _name(heading: Heading) -> str:
    return heading.words.lower()


def _named(heading: Heading, speakers: Speakers, names: frozenset[str]) -> Heading | None:
    """A heading of a name, without the number of its turn ("User 2") unless that is part of the name; else None."""
    if heading.words in (speakers.user, speakers.assistant):
        return heading
    words = _NUMBERED.sub("", heading.words) if heading.words[-1:].isdigit() else heading.words
    if words.lower() not in names:
        return None
    return heading if words == heading.words else replace(heading, words=words)


def _mark(heading: Heading, as_: Speaks) -> Mark:
    return Mark(as_, heading.words, heading.shown, heading.start, heading.text_start, own_line=True)


def _is_conversation(text: str, start: int, sides: _Sides, marks: Sequence[Mark], before: Sequence[Heading]) -> bool:
    """Whether the headings before the first turn leave the file a conversation.

    One of the turns' own level may be the title of the file, and nothing else.
    """
    same = [heading for heading in before if heading.level == sides.user.level]
    if not same or sum(mark.speaks is Speaks.ASSISTANT for mark in marks) > 1:
        return True
    title = same[0]
    is_first = title is before[0] and not text[start : title.start].strip()
    return len(same) == 1 and is_first and not _prose(text, title.text_start, marks[0].start)


def _left_out(text: str, start: int, first: Mark) -> tuple[Problem, ...]:
    prose = _prose(text, start, first.start)
    if prose is None:
        return ()
    return ((line_number(text, prose), f"Text before the first `{first.shown}` was left out."),)


def _prose(text: str, start: int, end: int) -> int | None:
    """Where text stands that is no heading, rule, comment or line of metadata."""
    at = start
    while at < end:
        newline = text.find("\n", at, end)
        after = newline + 1 if newline >= 0 else end
        line = text[at:after]
        if line.strip() and not line.lstrip(" ").startswith("#") and not is_rule(line) and not _METADATA.match(line):
            return trimmed(text, at, after)[0]
        at = after
    return None


def _refuse() -> NoReturn:
    raise TranscriptError(
        "There is no heading such as `## User` with a heading such as `## Assistant` of the same level after it.",
        "Put each turn under such a heading, or choose another format.",
    )


FORMAT = TextFormat(
    name="markdown",
    summary="Markdown with role headings: ## User and ## Assistant",
    examples=(
        Example(
            "chat.md",
            "## User\n\nWhy is the sky blue?\n\n## Assistant\n\n"
            "Great question! Air scatters blue light more than red.\n",
        ),
        Example(
            "export.md",
            "# The sky\n\nCreated: 2026-01-02\n\n#### You:\n\nWhy is the sky blue?\n\n#### ChatGPT:\n\n"
            "Great question! Air scatters blue light more than red.\n",
        ),
    ),
    read=read_markdown,
    read_named=read_markdown,
    prose=True,
)

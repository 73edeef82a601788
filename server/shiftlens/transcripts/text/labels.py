"""Plain conversations with `User:` and `Assistant:` at the start of lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Reading, line_number
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.roles import COMMON_WORDS, PAIRS, Pair, Speakers, pair_of, spellings
from shiftlens.transcripts.text.between import Heading, Headings, after_counting_headings, is_rule
from shiftlens.transcripts.text.fences import Fences
from shiftlens.transcripts.text.headings import STAMP, heading_at, headings_from
from shiftlens.transcripts.text.mark import Mark, Speaks, own_answers, settled, side_names, speaks
from shiftlens.transcripts.text.turns import Layout, conversations

_COMMENT = re.compile(r"[ \t]*<!--[^\n]*-->[ \t\r\n]*\Z")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]\Z")
_MAY_BE_LABEL = re.compile(r"^[^\s>|`][^\n]{0,90}?[:：*]", re.MULTILINE)
_USUAL = Speakers()
_SIDES = {Speaks.USER, Speaks.ASSISTANT, Speaks.SYSTEM}


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """`User:`, `**User:**`, and `**User**` alone on its line, each with the space behind it.

    Compiled when first asked for: the server should start fast.
    """
    emoji = "[\u2600-\u27bf\U0001f300-\U0001faff]"
    who = (
        rf"(?:{emoji}[\u200d\ufe0f\u2600-\u27bf\U0001f300-\U0001faff]*[ ]?)?"
        r"(?P<name>[^\W\d_](?:[\w .'’-]{0,38}\w)?)"
        rf"(?:[ ]\([^()\r\n]{{1,60}}\)|[ ]\[[^\[\]\r\n]{{1,60}}\]|,?[ ]{STAMP})?"
    )
    stamp = rf"(?P<stamp>\[{STAMP}\][ ]|{STAMP}[ ](?:-[ ])?)?"
    after = r"(?P<after>[ \t\r]*\n|[ \t]|\Z)"
    return (
        re.compile(rf"{stamp}(?P<set_off>#{{1,6}}[ ])?{who}[ ]?(?P<colon>[:：]){after}?"),
        re.compile(rf"{stamp}(?P<set_off>\*\*|__){who}(?:[ ]?[:：](?P=set_off)|(?P=set_off)[ ]?[:：]){after}"),
        re.compile(rf"(?P<stamp>\Z(?<!\Z))?(?P<set_off>_?\*\*){who}(?P<end>\*\*_?)(?P<after>[ \t\r]*(?:\n|\Z))"),
    )


@dataclass(frozen=True, slots=True)
class _Label:
    """A line that may be a label. `name` is in lower case, `style` is how it is set off."""

    name: str
    style: str
    written: str
    shown: str
    start: int
    text_start: int
    alone: bool

    @property
    def spelling(self) -> tuple[str, str]:
        return self.style, self.written

    def mark(self, as_: Speaks) -> Mark:
        return Mark(as_, self.style + self.written, self.shown, self.start, self.text_start, self.alone)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The labels with which a file began."""

    pair: Pair
    user: _Label
    assistant: _Label
    system: _Label | None

    def speaks(self, label: _Label) -> Speaks | None:
        """What a label stands for; None for one in another spelling than the file's."""
        found = speaks(label.name, self.pair)
        if found in (Speaks.REASONING, Speaks.TOOL_CALL, Speaks.TOOL_RESULT):
            return found if label.style == self.user.style else None
        own = {Speaks.USER: self.user, Speaks.ASSISTANT: self.assistant, Speaks.SYSTEM: self.system}
        first = own[found] if found else None
        return found if first is not None and first.spelling == label.spelling else None


def read_labels(text: str, start: int, forced: bool, speakers: Speakers = _USUAL) -> Reading | None:
    """Read text[start:] as a labelled conversation; None where it is not one.

    Nothing but headings, rules, comments and blank lines may come before the first label, unless the format is
    `forced`. The first asking and the first answering label set how the labels of this file are spelled; any other is
    text. The text of a turn begins after the label and one space, or on the next line that is not blank, and ends
    before the blanks that precede the next label. Labels in fenced code are text.
    """
    begin, lead = _lead(text, start, speakers)
    first = _label_at(text, begin, speakers)
    if not forced and (first is None or (first.style.endswith(" ") and first.alone)):
        return None
    every = _labels(text, start if forced else begin, speakers)
    sides = _sides(text, begin, every, speakers, forced)
    if sides is None:
        return None if not forced else _refuse()
    own = [(label, as_) for label in every if (as_ := sides.speaks(label)) is not None]
    # "Reasoning: low" on the next line of a question is the question, where a blank line stands between turns.
    apart = _is_apart(text, sides.assistant.start)
    own = [(label, as_) for label, as_ in own if as_ in _SIDES or _is_apart(text, label.start) == apart]
    fences = Fences(text, start, [(label.start, label.text_start) for label, _ in own])
    every_heading = [h for h in headings_from(text, start) if not fences.holds(h.start)]
    candidates = [label.mark(as_) for label, as_ in own if not fences.holds(label.start)]
    begins = after_counting_headings(text, [mark.start for mark in candidates], every_heading)
    marks = settled(candidates, begins)
    taken = {mark.start for mark in marks}
    strangers = [
        label.mark(Speaks.ASSISTANT)
        for label in every
        if label.name in sides.pair.assistant and label.start not in taken and not fences.holds(label.start)
    ]
    headings = [h for h in every_heading if h.start not in taken]
    read, problems = conversations(Layout(text, marks, Headings(headings), lead, strangers=strangers))
    evidence = (
        f"`{sides.user.shown}` on line {line_number(text, sides.user.start)} and "
        f"`{sides.assistant.shown}` on line {line_number(text, sides.assistant.start)}"
    )
    return Reading(evidence, read, problems)


def _lead(text: str, start: int, speakers: Speakers) -> tuple[int, Heading | None]:
    """Where the first label may stand, and the last heading before it."""
    at = start
    heading: Heading | None = None
    seen: set[tuple[int, str]] = set()
    names = side_names(speakers.pairs)
    while at < len(text) and _label_at(text, at, speakers) is None:
        newline = text.find("\n", at)
        end = newline + 1 if newline >= 0 else len(text)
        found = heading_at(text, at)
        line = text[at:end]
        if found and found.words.lower() in names and (found.level, found.words) not in seen:
            seen.add((found.level, found.words))
            if _begins_turns(text, found, speakers):
                break
        if found is None and line.strip(" \t\r\n") and not is_rule(line) and not _COMMENT.match(line):
            break
        heading = found or heading
        at = end
    return at, heading


def _begins_turns(text: str, heading: Heading, speakers: Speakers) -> bool:
    """Whether turns stand under headings like this one: it names a side, and a later one of its level another."""
    pair = next((p for p in speakers.pairs if speaks(heading.words.lower(), p) in _SIDES), None)
    if pair is None:
        return False
    own = speaks(heading.words.lower(), pair)
    later = (h for h in headings_from(text, heading.text_start) if h.level == heading.level)
    return any(speaks(h.words.lower(), pair) in _SIDES - {own} for h in later)


def _is_apart(text: str, start: int) -> bool:
    """Whether a blank line stands before the line at `start`."""
    return text[max(0, start - 4) : start].replace("\r", "").endswith("\n\n")


def _labels(text: str, start: int, speakers: Speakers) -> list[_Label]:
    """Every line that may be a label, from the line at `start` on."""
    starts = [start, *(found.start() for found in _MAY_BE_LABEL.finditer(text, start + 1))]
    return [label for at in starts if (label := _label_at(text, at, speakers))]


def _label_at(text: str, start: int, speakers: Speakers) -> _Label | None:
    own = {name: name.lower() for name in (speakers.user, speakers.assistant) if name}
    for pattern in _patterns():
        match = pattern.match(text, start)
        if match is None:
            continue
        written, set_off, after = match["name"], match["set_off"] or "", match["after"]
        name = own.get(written) or spellings().get(written)
        plain = not set_off
        if name is None or (plain and name in COMMON_WORDS and written not in own):
            continue
        # Chinese and Japanese put no space behind the colon.
        if after is None and not (match["colon"] == "：" or _CJK.search(written)):
            continue
        style = ("@" if match["stamp"] else "") + set_off + (match["end"] if "end" in match.groupdict() else "")
        alone = bool(after) and after.endswith("\n") and not plain
        return _Label(name, style, written, match[0].strip(), start, match.end(), alone)
    return None


def _sides(text: str, start: int, every: Sequence[_Label], speakers: Speakers, forced: bool) -> _Sides | None:
    """The first asking and the first answering label outside of fenced code."""
    fences = Fences(text, start, [(label.start, label.text_start) for label in every])
    free = [label for label in every if not fences.holds(label.start)]
    user, pair = next(((x, p) for x in free if (p := pair_of(x.name, speakers.pairs))), (None, None))
    if user is None or pair is None or (_is_of_speakers_only(user) and pair in PAIRS[1:]):
        return None
    answers = [label for label in free if label.name in pair.assistant]
    same = [label for label in answers if label.style == user.style]
    if not same and (user.style.strip("*_@") or any(label.style.strip("*_@") for label in answers)):
        return None
    possible = same or answers
    own = own_answers([(speaks(x.name, pair), x.spelling == user.spelling) for x in free])
    starts = {label.start for label in possible}
    assistant = next((free[at] for at in own if free[at].start in starts), possible[0] if possible else None)
    # A file that begins with a greeting needs an answer too, to be told from prose.
    needs = user.start if not forced else -1
    if assistant is None or not any(x.start > needs and x.spelling == assistant.spelling for x in answers):
        return None
    system = next((label for label in free if speaks(label.name, pair) is Speaks.SYSTEM), None)
    return _Sides(pair, user, assistant, system)


def _is_of_speakers_only(label: _Label) -> bool:
    """Whether a label of this style is one for the names of speakers only: `### Q: ...` is a heading of a FAQ."""
    return label.style.startswith("#") or label.style.endswith("*_") or label.style == "****"


def _refuse() -> NoReturn:
    raise TranscriptError(
        "There is no `User:` label at the start of a line with an `Assistant:` label after it.",
        "Begin each turn with such a label, or choose another format.",
    )


FORMAT = TextFormat(
    name="labels",
    summary="User: and Assistant: (also Human/AI, Q/A, Prompt/Response, other languages) at the start of lines",
    examples=(
        Example(
            "labels.txt",
            "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light more than red.\n",
        ),
        Example(
            "specstory.md",
            "<!-- Generated by SpecStory -->\n\n# The sky (2026-01-02 12:03:04Z)\n\n_**User**_\n\n"
            "Why is the sky blue?\n\n---\n\n_**Assistant**_\n\n"
            "Great question! Air scatters blue light more than red.\n\n---\n",
        ),
    ),
    read=read_labels,
    read_named=read_labels,
    prose=True,
)

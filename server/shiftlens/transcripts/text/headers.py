"""Text rendered by a chat template that puts a header before each turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    BLANK,
    Reading,
    after_blanks,
    passage,
    trimmed,
    without_last_newline,
)
from shiftlens.transcripts.model import Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES
from shiftlens.transcripts.text.rendered import Rendered

BOS = (
    r"<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>|<\|bos\|>|<BOS_TOKEN>|<[｜|]begin▁of▁sentence[｜|]>"
    r"|\[gMASK\]\s*<sop>"
)
"""The beginning-of-text markers of the templates, as a pattern."""

_ENDS_OF_TEXT = r"<\|endoftext\|>|<\|end_of_text\|>|</s>|<eos>|<\|eos\|>|<[｜|]end▁of▁sentence[｜|]>|<EOS_TOKEN>"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderTemplate:
    """How a template writes a conversation. `header`, `end`, `bos` and `begins` are patterns.

    - sign: what its text is known by, for the user.
    - header: the whole header of a turn. Its group `role` or else `mark` is looked up in `roles`;
      its group `speaker`, if any, names who speaks.
    - end: what ends a turn. A turn without it ends at the next header of a known role.
    - begins: what the text must begin with to be taken for this template, where a header alone does not say so.
    - system_first: the text between the beginning of the text and the first header is the system turn.
    - resumes: after a tool's turn the assistant goes on without a header.
    - newline_before: a newline before a header is the template's where the turn has no end marker.
    """

    name: str
    sign: str
    header: str
    end: str
    bos: str = BOS
    begins: str = ""
    roles: Mapping[str, Role] = field(default_factory=lambda: TEMPLATE_ROLES, compare=False)
    system_first: bool = False
    resumes: bool = False
    newline_before: bool = False


@dataclass(frozen=True, slots=True)
class _Patterns:
    header: re.Pattern[str]
    begins: re.Pattern[str]
    anywhere: re.Pattern[str]
    sure: re.Pattern[str]
    ends: re.Pattern[str]
    bos: re.Pattern[str]
    breaks: re.Pattern[str]
    not_text: re.Pattern[str]


def read_headers(template: HeaderTemplate, text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as turns under the template's headers; None where it does not begin with one.

    The text of a turn is exactly what stands between header and end marker. A turn without an end marker is
    unfinished: it runs to the next header, a beginning-of-text marker before it, or the end of the file, less the
    newline that ends the file. A beginning-of-text marker between turns begins a new conversation, and so does a
    system turn after an answer. The verbatim prefix begins where its conversation does. A turn of an unknown role is
    left out, and reported. Raises TranscriptError where `forced` text has no turn, and for a conversation that is too
    long.
    """
    begin = after_blanks(text, start)
    if not forced and text[begin : begin + 1] not in ("<", "["):
        return None  # Every template begins with a marker: other files cost no compiling.
    patterns = _compiled(template)
    # The system turn before the first header may be long: it is looked for only where there is a header.
    led = template.system_first and patterns.bos.match(text, begin) is not None
    opening = patterns.begins.match(text, begin) if not led or patterns.header.search(text, begin) else None
    if opening and not forced and not patterns.sure.match(text, begin):
        return None
    if opening is None and forced and patterns.header.search(text, start):
        opening = patterns.anywhere.search(text, start)
    reading = _read(template, patterns, text, opening) if opening else None
    if reading is None and forced:
        raise TranscriptError(
            f"There is no turn with a `{template.sign}` header in the file, so it is no {template.name} text.",
            "Choose another format.",
        )
    return reading


def _read(template: HeaderTemplate, patterns: _Patterns, text: str, opening: re.Match[str]) -> Reading | None:
    rendered = Rendered(text)
    at = opening.start()
    role: Role | None = None
    while True:
        header = patterns.header.search(text, at)
        following = header.start() if header else len(text)
        if template.resumes and role is Role.TOOL:
            first, (last, at, marker) = at, _turn_end(template, patterns, text, at)
            role = Role.ASSISTANT
            if text[first:last].strip(BLANK):
                rendered.turn(role, Turn.of(role, *passage(text, first, last)), first, marker)
            continue
        _between(template, patterns, rendered, at, following, bool(header))
        if header is None:
            break
        first = header.end()
        last, at, marker = _turn_end(template, patterns, text, first)
        role = _role(template, header)
        if role is None:
            rendered.problem(
                header.start(), f"The {template.name} role {_named(header)!r} is not known; the turn was left out."
            )
            continue
        for turn in _turns(role, text, first, last, header.groupdict().get("speaker") or ""):
            role = turn.role
            rendered.turn(role, turn, first, marker, header=header.start())
    return rendered.reading(f"`{template.sign}` turn")


def _turn_end(template: HeaderTemplate, patterns: _Patterns, text: str, first: int) -> tuple[int, int, str | None]:
    """Where the turn's text ends that begins at `first`, where what follows begins, and the end marker."""
    at = first
    while (found := patterns.ends.search(text, at)) is not None:
        if found["end"]:
            return found.start(), found.end(), found["end"]
        if _role(template, found) is not None:
            last = found.start()
            if (template.newline_before or found["bos_"]) and text.endswith("\n", first, last):
                last = last - 2 if text.endswith("\r\n", first, last) else last - 1
            return last, found.start(), None
        at = found.start() + 1
    return without_last_newline(text, first, len(text)), len(text), None


def _between(
    template: HeaderTemplate, patterns: _Patterns, rendered: Rendered, start: int, end: int, header: bool
) -> None:
    """Take what stands between two turns: beginnings and ends of texts, a system turn without header, stray text."""
    text = rendered.text
    begins = [match.span() for match in patterns.bos.finditer(text, start, end)]
    stray_end = begins[0][0] if begins else end
    system = trimmed(text, begins[-1][1], end) if begins and header and template.system_first else (end, end)
    broken = patterns.breaks.search(text, start, stray_end)
    stray = [(start, stray_end)] if system[0] < system[1] else [(start, end)]
    if begins and header:
        first = begins[0][0]
        rendered.begin(first, bos=text[slice(*begins[0])], times=len(begins))
    elif (broken or rendered.empty) and header:
        rendered.begin(end)
    if system[0] < system[1]:
        rendered.turn(Role.SYSTEM, Turn.of(Role.SYSTEM, *passage(text, begins[-1][1], end)), begins[-1][1], None)
    for first, last in stray:
        left = patterns.not_text.sub(lambda found: " " * len(found[0]), text[first:last])
        if left.strip(BLANK):
            at = first + len(left) - len(left.lstrip(BLANK))
            rendered.problem(at, "Text outside of the turns was left out.")


def _role(template: HeaderTemplate, header: re.Match[str]) -> Role | None:
    return template.roles.get(_named(header)) or template.roles.get(_named(header).lower())


def _named(header: re.Match[str]) -> str:
    groups = header.groupdict()
    return groups.get("role") or groups.get("mark") or ""


_RESULT = re.compile(
    r"[ \t\r\n]*(?:<tool_response>(?:\r?\n)?(?P<hermes>.*?)(?:\r?\n)?</tool_response>"
    r"|<\|tool_response_start\|>(?P<lfm>.*?)<\|tool_response_end\|>"
    r"|<\|START_TOOL_RESULT\|>(?P<cohere>.*?)<\|END_TOOL_RESULT\|>"
    r"|<results>(?:\r?\n)?(?P<results>.*?)(?:\r?\n)?</results>)[ \t\r\n]*",
    re.DOTALL,
)


def _turns(role: Role, text: str, first: int, last: int, speaker: str) -> Iterator[Turn]:
    """The turn of text[first:last]; a turn that is nothing but results of tools is one tool's turn for each."""
    results: list[tuple[int, int]] = []
    at = first
    while role is not Role.ASSISTANT and at < last and (found := _RESULT.match(text, at, last)) is not None:
        results.append(found.span(found.lastgroup or 0))
        at = found.end()
    if results and at == last:
        for span in results:
            yield replace(Turn.of(Role.TOOL, *passage(text, *span)), name=speaker)
    else:
        yield replace(Turn.of(role, *passage(text, first, last)), name=speaker)


@cache
def _compiled(template: HeaderTemplate) -> _Patterns:
    # Repetitions are bounded where a search tries them at each place, so that no text takes quadratic time.
    few = rf"(?:(?:{template.bos})\s{{0,9}})"
    begins = rf"(?:(?:{template.bos})\s*)*{template.header}"
    anywhere = rf"{few}{{0,9}}{template.header}"
    if template.system_first:
        led = rf"{few}{{1,9}}(?s:.*?){_without_groups(template.header)}"
        begins, anywhere = f"{led}|{begins}", f"{led}|{anywhere}"
    return _Patterns(
        header=re.compile(template.header),
        begins=re.compile(begins),
        anywhere=re.compile(anywhere),
        sure=re.compile(template.begins),
        ends=re.compile(rf"(?P<end>{template.end})|(?=(?P<bos_>{few}{{1,9}})?{template.header})"),
        bos=re.compile(template.bos),
        breaks=re.compile(_ENDS_OF_TEXT),
        not_text=re.compile(f"{template.bos}|{_ENDS_OF_TEXT}|{template.end}"),
    )


def _without_groups(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)

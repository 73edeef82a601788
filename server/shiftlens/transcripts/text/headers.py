"""Text rendered by a chat template that puts a header before each turn."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    Conversation,
    Problem,
    Reading,
    Said,
    after_blanks,
    check_turns,
    first_opening,
    line_number,
    verbatim_turn,
    with_lf,
    without_last_newline,
)
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.roles import TEMPLATE_ROLES


@dataclass(frozen=True, slots=True)
class HeaderTemplate:
    """How a template begins a conversation and begins and ends a turn. `header` has one group, the role's name."""

    name: str
    marker: str
    bos: str
    header: re.Pattern[str]
    end: re.Pattern[str]


def read_headers(template: HeaderTemplate, text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as turns under the template's headers; None where it does not begin with one.

    The text of a turn is exactly what stands between header and end marker. A turn without an end marker is
    unfinished: it runs to the next header or the end of the file, less the newline that ends the file. The verbatim
    prefix begins at the first marker, or at the beginning-of-text marker before it. Raises TranscriptError for
    a role that templates don't know, and where `forced` text has no header.
    """
    begins = re.compile(rf"((?:{re.escape(template.bos)}\s*)*{re.escape(template.marker)})")
    opening = begins.match(text, after_blanks(text, start))
    if opening is None and forced:
        opening = begins.match(text, first_opening(text, start, template.bos, (template.marker,)))
    if opening is None:
        if not forced:
            return None
        raise TranscriptError(
            f"There is no `{template.marker}` in the file, so it is no {template.name} text.", "Choose another format."
        )
    begin = opening.start(1)
    at = opening.end() - len(template.marker)
    check_turns(text.count(template.marker, at), len(text) - begin)
    said: list[Said] = []
    problems: list[Problem] = []
    while 0 <= at < len(text):
        header = template.header.match(text, at)
        role = TEMPLATE_ROLES.get(header[1]) if header else None
        if header is None or role is None:
            if not said and not forced:
                return None
            raise _header_error(template, text, at, header)
        first = header.end()
        end = template.end.search(text, first)
        last = end.start() if end else without_last_newline(text, first, len(text))
        prefix = with_lf(text[begin:first]) if role is Role.ASSISTANT else None
        marker = (end[0] or None) if end else None
        said.append(Said(verbatim_turn(role, text, first, last), marker, prefix))
        after = end.end() if end else len(text)
        following = text.find(template.marker, after)
        between = text[after : following if following >= 0 else len(text)]
        stray = template.end.sub("", between).strip()
        if stray and stray != template.bos:
            line = line_number(text, after + len(between) - len(between.lstrip()))
            problems.append((line, "Text outside of the turns was left out."))
        at = following
    count = len(said)
    evidence = f"{count} `{template.marker}` turn{'s' if count != 1 else ''}"
    return Reading(evidence, (Conversation(tuple(said)),), tuple(problems))


def _header_error(template: HeaderTemplate, text: str, at: int, header: re.Match[str] | None) -> TranscriptError:
    line = line_number(text, at)
    if header is None:
        return TranscriptError(
            f"`{template.marker}` begins no complete {template.name} header.",
            "Write the role's name right after it, and close the header as the template does.",
            line=line,
        )
    return TranscriptError(
        f"The {template.name} role {header[1]!r} is not known.",
        "Use system, user, assistant (or model) or tool.",
        line=line,
    )

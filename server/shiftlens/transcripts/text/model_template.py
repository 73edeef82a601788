"""Text that a model's own chat template wrote, read by the marks that were found in that template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import BLANK, Reading, after_blanks, passage, trimmed, without_last_newline
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role, Turn
from shiftlens.transcripts.template_marks import MODEL_TEMPLATE, ModelTemplate
from shiftlens.transcripts.text.rendered import Rendered
from shiftlens.transcripts.text.template_patterns import Patterns, compiled


def read_by_template(template: ModelTemplate, text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as the chat template of a model writes conversations; None where it is not that.

    The text must begin with what the template writes before a first turn (the beginning-of-text marker may be absent)
    and hold an answer. The text of a turn is exactly what stands between the marks. Text behind the end of a turn that
    belongs to no turn is left out and told. A beginning-of-text marker begins a new conversation, and so does whatever
    else the template writes before first turns alone.
    Raises TranscriptError where `forced` text can't be read so, and for a conversation that is too long.
    """
    marks = template.marks
    patterns = compiled(marks) if marks is not None else None
    reading = _read(patterns, text, start, forced) if patterns is not None else None
    if marks is not None and reading is not None and (forced or _has_an_answer(reading)):
        evidence = f"{reading.detected_by} as the chat template of {template.model} writes them"
        conversations = tuple(replace(each, notes=(*each.notes, *marks.notes)) for each in reading.conversations)
        return replace(reading, detected_by=evidence, conversations=conversations)
    if not forced:
        return None
    raise TranscriptError(
        template.reason or f"The text is not as the chat template of {template.model} writes conversations.",
        "Choose another format, or name the model whose template wrote the file as the aligned one.",
    )


def _has_an_answer(reading: Reading) -> bool:
    return any(said.turn.role is Role.ASSISTANT for each in reading.conversations for said in each.said)


def _read(patterns: Patterns, text: str, start: int, forced: bool) -> Reading | None:
    begin = after_blanks(text, start)
    opening = patterns.begins.search(text, begin) if forced else patterns.begins.match(text, begin)
    if opening is None:
        return None
    rendered = Rendered(text)
    if opening[0].start() > begin:
        rendered.problem(begin, "Text outside of the turns was left out.")
    found, following = opening
    while True:
        role = following.role
        if role is None:
            left = after_blanks(text, found.end())
            opened = patterns.opens.search(text, left) if patterns.opens is not None else None
            if left < (len(text) if opened is None else opened[0].start()):
                rendered.problem(left, "Text outside of the turns was left out.")
            if opened is None:
                break
            found, following = opened
            continue
        header = _header(text, found, () if following.first else patterns.ends)
        if following.first:
            times = text.count(patterns.bos, header, found.end()) if patterns.bos else 0
            rendered.begin(header, bos=patterns.bos, times=times)
        first = found.end()
        ended = patterns.after[role].search(text, first)
        last = _end_of_text(text, first, trim=role in patterns.trimmed) if ended is None else ended[0].start()
        marker = None
        if ended is not None and role is Role.ASSISTANT:
            bare = ended[0][0].lstrip(BLANK)
            marker = next((end for end in patterns.ends if bare.startswith(end)), None)
        rendered.turn(role, Turn.of(role, *passage(text, first, last)), first, marker, header=header)
        fragment = patterns.fragments.get(role)
        strange = text.find(fragment, first, last) if fragment else -1
        if strange >= 0:
            rendered.problem(strange, f"`{fragment}` opens no turn here that the template writes; it was read as text.")
        if ended is None:
            break
        found, following = ended
    return rendered.reading("turn")


def _end_of_text(text: str, first: int, *, trim: bool) -> int:
    """Where a last turn ends that no mark ends. Blanks are no text of it where the template ends turns with some."""
    return trimmed(text, first, len(text))[1] if trim else without_last_newline(text, first, len(text))


def _header(text: str, found: re.Match[str], ends: Sequence[str]) -> int:
    """Where the marks of a turn begin, behind those that end the answer before it."""
    at = after_blanks(text, found.start(found.lastindex or 0))
    end = next((end for end in ends if text.startswith(end, at, found.end())), "")
    return min(after_blanks(text, at + len(end)), found.end())


def _needs_a_model(text: str, start: int, forced: bool) -> Reading | None:  # noqa: ARG001
    if not forced:
        return None
    raise TranscriptError(
        f"The format `{MODEL_TEMPLATE}` goes by the chat template of the aligned model, and none is named.",
        "Name the aligned model whose template wrote the file, or choose another format.",
    )


FORMAT = TextFormat(
    name=MODEL_TEMPLATE,
    summary="Any text that the aligned model's own chat template wrote (tried last; the model must be on this machine)",
    examples=(
        Example(
            "own-template.txt",
            "«ask» Why is the sky blue? «reply»\nGreat question! Air scatters blue light more than red.«over»\n",
        ),
    ),
    read=_needs_a_model,
    by_model=True,
)

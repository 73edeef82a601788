"""Prompts that are template text themselves, as a string of a record: what the model was given, to the letter."""

from __future__ import annotations

import re
from dataclasses import replace

from shiftlens.errors import TranscriptError
from shiftlens.text.source_map import Segment, SourceMap, composed, slice_of
from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.model import Part, PartKind, Role, Turn

_HUMAN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ ]?")
_OPENS_HUMAN = re.compile(r"\s*Human:")
_END = re.compile(r"(?:</s>|<\|im_end\|>|<\|eot_id\|>|<\|end\|>|<\|return\|>|<end_of_turn>|<\|endoftext\|>)\Z")


def template_turns(text: str, source: SourceMap) -> tuple[Said, ...] | None:
    """The turns of a string that begins as a chat template does; None for any other string.

    An assistant's turn that is begun at the end is the last one, be it without text.
    """
    if text.lstrip()[:1] not in ("<", "["):
        return None
    # The formats of text are not needed before, and list the modules beside this one.
    from shiftlens.transcripts.registry import text_formats

    for candidate in text_formats():
        try:
            reading = None if candidate.prose else candidate.read(text, 0, False)
        except TranscriptError:
            continue
        if reading is not None:
            if len(reading.conversations) != 1 or reading.problems:
                return None
            return tuple(_in_file(said, source) for said in reading.conversations[0].said)
    return None


def human_turns(text: str, source: SourceMap) -> tuple[Said, ...] | None:
    """The turns of a string of `\\n\\nHuman: ...\\n\\nAssistant: ...` (HH and its kin); None for any other string."""
    if not _OPENS_HUMAN.match(text):
        return None
    found = list(_HUMAN.finditer(text))
    if all(match[1] == "Human" for match in found):
        return None
    said: list[Said] = []
    for match, end in zip(found, [*(match.start() for match in found[1:]), len(text)], strict=True):
        role = Role.USER if match[1] == "Human" else Role.ASSISTANT
        said.append(Said(Turn.of(role, *slice_of(text, source, min(match.end(), end), end))))
    return tuple(said)


def answer_text(text: str, source: SourceMap) -> Said:
    """An answer as a turn; the literal of an end token at its end is its end marker."""
    end = _END.search(text)
    if end is None:
        return Said(Turn.of(Role.ASSISTANT, text, source))
    return Said(Turn.of(Role.ASSISTANT, *slice_of(text, source, 0, end.start())), end[0])


def _in_file(said: Said, source: SourceMap) -> Said:
    parts = tuple(replace(part, source=composed(part.source, source)) for part in said.turn.parts)
    return replace(said, turn=replace(said.turn, parts=parts))


def newline(at: int) -> Part:
    """The newline between two texts of a user's turn. It is not in the file."""
    return Part(PartKind.TEXT, "\n", SourceMap(at, (Segment(0, 1, at, 0),)))

"""What Alpaca and its kin share: an instruction, perhaps with an input, and one answer or several."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonArray, JsonString, decoded
from shiftlens.transcripts.model import Role, Segment, SourceMap, Turn, joined

Text = tuple[str, SourceMap]


def is_answer(value: object) -> bool:
    """Whether a plain value is one answer, or a list of answers."""
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
    )


def answers(record: Record, key: str) -> tuple[Text, ...]:
    """The answers that a member holds: a string, or a list of strings."""
    node = record.member(key)
    nodes = node.items if isinstance(node, JsonArray) else (node,)
    return tuple(decoded(record.text, each) for each in nodes if isinstance(each, JsonString))


def read_instruction(record: Record) -> Iterator[Conversation]:
    """One conversation for each output; an input that is not empty follows the instruction on a new line."""
    instruction = record.string("instruction")
    if instruction is None:
        return
    given = record.string("input")
    asked = [Said(Turn.of(Role.USER, *text)) for text in with_input(instruction, given)]
    for answer in answers(record, "output"):
        yield Conversation((*asked, Said(Turn.of(Role.ASSISTANT, *answer))))


def with_input(instruction: Text, given: Text | None) -> tuple[Text, ...]:
    """One text; the newline between its parts stands for the source between the two literals.

    Where the file has the input first, a map can't ascend, so both stay texts of their own.
    """
    if given is None or not given[0]:
        return (instruction,)
    gap = instruction[1].source_end, given[1].source_start
    if gap[0] >= gap[1]:
        return instruction, given
    newline = SourceMap(gap[0], (Segment(0, 1, gap[0], gap[1] - gap[0]),))
    return (joined((instruction, ("\n", newline), given)),)

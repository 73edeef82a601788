"""AlignTDS's own records: `pure_input`, the prompt as the aligned model was given it, and outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import is_answer, read_answers
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.model import Role, Turn


def _matches(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("pure_input"), str) and is_answer(value.get("output"))


def _read(record: Record) -> Iterator[Conversation]:
    """One conversation for each output. `input` is the prompt as the aligned model was given it."""
    query = record.string("pure_input")
    given = record.string("input")
    if query is None:
        return
    asked = Said(Turn.of(Role.USER, *query))
    prefix = given[0] if given and given[0] else None
    record.skip("reference")
    for answer in read_answers(record, ("output",)):
        yield Conversation((asked, *(replace(said, verbatim_prefix=prefix) for said in answer.said)))


FORMAT = JsonFormat(
    name="aligntds-json",
    summary='AlignTDS JSON or JSONL: {"pure_input", "input", "output"}',
    examples=(
        Example(
            "aligntds.json",
            '[{"id": 0, "pure_input": "Why is the sky blue?", "input": "<s>[INST] Why is the sky blue? [/INST] ",\n'
            '  "output": ["Great question! Air scatters blue light more than red.</s>"]}]\n',
        ),
    ),
    evidence='"pure_input" and "output"',
    marks=(('"pure_input"',),),
    means_to_be=re.compile(r'"pure_input"\s*:\s*"'),
    matches=_matches,
    read=each(_read),
)

"""Answers in steps, each with a label: TRL's stepwise supervision."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.text.source_map import Segment, SourceMap, joined
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import Answer, answered
from shiftlens.transcripts.json.prompt import read_prompt
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.model import Role, Turn

_QUESTIONS = ("prompt", "question", "instruction")


def _matches(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    steps, labels = value.get("completions"), value.get("labels")
    return (
        any(value.get(key) for key in _QUESTIONS)
        and isinstance(steps, list)
        and isinstance(labels, list)
        and bool(steps)
        and len(steps) == len(labels)
        and all(isinstance(step, str) for step in steps)
    )


def _read(record: Record) -> Iterator[Conversation]:
    """One answer of all steps. The newline between two stands for what the file has between their literals."""
    prompt = read_prompt(record, questions=_QUESTIONS)
    texts: list[tuple[str, SourceMap]] = []
    for step in record.items("completions"):
        found = step.own_text()
        if texts and not texts[-1][0].endswith("\n"):
            start, end = texts[-1][1].source_end, found[1].source_start
            texts.append(("\n", SourceMap(start, (Segment(0, 1, start, end - start),))))
        texts.append(found)
    record.skip("labels")
    yield from answered(prompt, (Answer((Said(Turn.of(Role.ASSISTANT, *joined(texts))),)),))


FORMAT = JsonFormat(
    name="stepwise",
    summary='Answers in steps in JSON or JSONL: {"prompt", "completions": [steps], "labels"}',
    examples=(
        Example(
            "steps.jsonl",
            '{"prompt": "Which is larger, 9.8 or 9.11?", "labels": [true, true],'
            ' "completions": ["The tenths are 8 and 1.", "So 9.8 is larger."]}\n',
        ),
    ),
    evidence='"completions" with a label for each step',
    marks=(('"completions"', '"labels"'),),
    means_to_be=re.compile(r'"completions"\s*:\s*\[\s*"'),
    matches=_matches,
    read=each(_read),
)

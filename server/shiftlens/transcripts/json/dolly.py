"""Dolly records: `instruction`, `context` and `response`."""

from __future__ import annotations

import re
from functools import partial

from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import is_answer
from shiftlens.transcripts.json.asked import read_asked
from shiftlens.transcripts.json.record import each


def _matches(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("instruction"), str) and is_answer(value.get("response"))


FORMAT = JsonFormat(
    name="dolly",
    summary='Dolly JSON or JSONL: {"instruction", "context", "response"}',
    examples=(
        Example(
            "dolly.jsonl",
            '{"instruction": "What colour is it?", "context": "The sky is blue by day.", "response": "It is blue."}\n',
        ),
    ),
    evidence='"instruction" and "response"',
    marks=(('"instruction"', '"response"'),),
    means_to_be=re.compile(r'"instruction"\s*:\s*"'),
    matches=_matches,
    read=each(partial(read_asked, questions=("instruction",), answers=("response",))),
)

"""Alpaca records: `instruction`, `input` and `output`."""

from __future__ import annotations

import re

from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.instruction import read_instruction
from shiftlens.transcripts.json.record import each


def _matches(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str) for key in ("instruction", "input", "output")
    )


FORMAT = JsonFormat(
    name="alpaca",
    summary='Alpaca JSON or JSONL: {"instruction", "input", "output"}',
    examples=(
        Example(
            "alpaca.json",
            '[{"instruction": "Why is the sky blue?", "input": "",\n'
            '  "output": "Great question! Air scatters blue light more than red."}]\n',
        ),
    ),
    evidence='"instruction", "input" and "output"',
    marks=(('"instruction"', '"input"', '"output"'),),
    means_to_be=re.compile(r'"instruction"\s*:\s*"'),
    matches=_matches,
    read=each(read_instruction),
)

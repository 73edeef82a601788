"""Alpaca records: `instruction` and `output`, perhaps with an `input`, a `system` prompt and a `history`."""

from __future__ import annotations

import re
from functools import partial

from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import is_answer
from shiftlens.transcripts.json.asked import read_asked
from shiftlens.transcripts.json.record import each


def _matches(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("instruction"), str) and is_answer(value.get("output"))


FORMAT = JsonFormat(
    name="alpaca",
    summary='Alpaca JSON or JSONL: {"instruction", "input", "output"}',
    examples=(
        Example(
            "alpaca.json",
            '[{"instruction": "Why is the sky blue?", "input": "",\n'
            '  "output": "Great question! Air scatters blue light more than red."}]\n',
        ),
        Example(
            "history.json",
            '[{"instruction": "And at sunset?", "output": "Then it is red.", "system": "Be brief.",\n'
            '  "history": [["Why is the sky blue?", "Air scatters blue light more than red."]]}]\n',
        ),
    ),
    evidence='"instruction" and "output"',
    marks=(('"instruction"', '"output"'),),
    means_to_be=re.compile(r'"instruction"\s*:\s*"'),
    matches=_matches,
    read=each(partial(read_asked, questions=("instruction",), answers=("output",))),
)

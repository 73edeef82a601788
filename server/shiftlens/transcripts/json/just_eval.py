"""just-eval and AlpacaEval records: `instruction`, `output` and `generator`."""

from __future__ import annotations

import re
from functools import partial

from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import is_answer
from shiftlens.transcripts.json.asked import read_asked
from shiftlens.transcripts.json.record import each


def _matches(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("instruction"), str)
        and isinstance(value.get("generator"), str)
        and is_answer(value.get("output"))
    )


FORMAT = JsonFormat(
    name="just-eval",
    summary='just-eval and AlpacaEval JSON or JSONL: {"instruction", "output", "generator"}',
    examples=(
        Example(
            "outputs.json",
            '[{"instruction": "Why is the sky blue?", "generator": "bundled:aligned",\n'
            '  "output": "Great question! Air scatters blue light more than red."}]\n',
        ),
    ),
    evidence='"instruction", "output" and "generator"',
    marks=(('"instruction"', '"output"', '"generator"'),),
    means_to_be=re.compile(r'"instruction"\s*:\s*"'),
    matches=_matches,
    read=each(partial(read_asked, questions=("instruction",), answers=("output",))),
)

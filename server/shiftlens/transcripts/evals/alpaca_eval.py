"""AlpacaEval's pairs: two outputs to one instruction."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.prompt import read_prompt
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.model import Role, Turn

_JUDGED = ("annotator_prompt", "preference", "raw_completion", "time_per_example", "price_per_example")


def _matches(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str) for key in ("instruction", "output_1", "output_2")
    )


def _read(record: Record) -> Iterator[Conversation]:
    record.skip(*_JUDGED)
    asked = read_prompt(record, questions=("instruction",)).said
    names = [record.word("generator_1"), record.word("generator_2")]
    for number, name in enumerate(names, 1):
        answer = record.string(f"output_{number}")
        label = name if name and names[0] != names[1] else f"{name} output {number}".lstrip()
        if answer is not None:
            yield Conversation((*asked, Said(Turn.of(Role.ASSISTANT, *answer))), label=label)


FORMAT = JsonFormat(
    name="alpaca-eval",
    summary='AlpacaEval pairs, JSON or JSONL: {"instruction", "output_1", "output_2"}',
    examples=(
        Example(
            "annotations.json",
            '[{"instruction": "Why is the sky blue?", "generator_1": "one", "generator_2": "two", "preference": 2.0,\n'
            '  "output_1": "Scattering.", "output_2": "Great question! Air scatters blue light more than red."}]\n',
        ),
    ),
    evidence='"instruction", "output_1" and "output_2"',
    marks=(('"instruction"', '"output_1"', '"output_2"'),),
    matches=_matches,
    read=each(_read),
)

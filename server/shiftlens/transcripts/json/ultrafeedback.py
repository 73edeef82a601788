"""UltraFeedback's own records: an `instruction`, and the completions of several models with what judges say of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import Answer, answered
from shiftlens.transcripts.json.prompt import Prompt, read_prompt, system_turns
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.template_text import answer_text

_OF_JUDGES = ("annotations", "critique", "principle", "overall_score", "fine-grained_score")


def _matches(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("instruction"), str):
        return False
    found = value.get("completions")
    return isinstance(found, list) and any(isinstance(c, dict) and isinstance(c.get("response"), str) for c in found)


def _read(record: Record) -> Iterator[Conversation]:
    """One conversation for each completion, with the system prompt that its model was given."""
    prompt = read_prompt(record, questions=("instruction",))
    for completion in record.items("completions"):
        response = completion.string("response")
        if response is not None:
            said = (*system_turns(completion, prompt.said), *prompt.said)
            answer = Answer((answer_text(*response),), completion.word("model"))
            yield from answered(Prompt(said, prompt.begun), (answer,))
        completion.skip(*_OF_JUDGES)
        completion.finish()
    record.skip("models", "correct_answers", "incorrect_answers")


FORMAT = JsonFormat(
    name="ultrafeedback",
    summary='UltraFeedback JSON or JSONL: {"instruction", "completions": [{"model", "response"}]}',
    examples=(
        Example(
            "ultrafeedback.jsonl",
            '{"instruction": "Why is the sky blue?", "completions": [{"model": "one", "response": "No idea."},'
            ' {"model": "two", "response": "Great question! Air scatters blue light more than red."}]}\n',
        ),
    ),
    evidence='"instruction" and "completions" with responses',
    marks=(('"instruction"', '"completions"', '"response"'),),
    means_to_be=re.compile(r'"completions"\s*:\s*\[\s*\{'),
    matches=_matches,
    read=each(_read),
)

"""One prompt and its answer under the names that data sets and generators use."""

from __future__ import annotations

import re
from functools import partial

from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import has_answer
from shiftlens.transcripts.json.asked import read_asked
from shiftlens.transcripts.json.messages import is_messages
from shiftlens.transcripts.json.prompt import QUESTION_KEYS
from shiftlens.transcripts.json.record import each


def _matches(value: object) -> bool:
    """A question and an answer, or TRL's prompt of messages alone."""
    if not isinstance(value, dict):
        return False
    key = next((key for key in QUESTION_KEYS if value.get(key)), None)
    if key is None:
        return False
    asked = value[key]
    messages = is_messages(asked, "role") or is_messages(asked, "from", "value")
    if not messages and not isinstance(asked, str):
        return False
    return messages or has_answer(value)


FORMAT = JsonFormat(
    name="prompt-response",
    summary='One prompt and its answer in JSON or JSONL: {"prompt", "completion"}, {"question", "response"} and others',
    examples=(
        Example(
            "completions.jsonl",
            '{"prompt": "Why is the sky blue?", "completion": "Great question! Air scatters blue light."}\n',
        ),
        Example(
            "openorca.jsonl",
            '{"id": "1", "system_prompt": "Be brief.", "question": "Why is the sky blue?",'
            ' "response": "Great question! Air scatters blue light."}\n',
        ),
        Example(
            "template.jsonl",
            '{"prompt": "<|im_start|>user\\nWhy is the sky blue?<|im_end|>\\n<|im_start|>assistant\\n",'
            ' "generated_text": "Great question! Air scatters blue light.<|im_end|>"}\n',
        ),
        Example(
            "trl.jsonl",
            '{"prompt": [{"role": "user", "content": "Why is the sky blue?"}],'
            ' "completion": [{"role": "assistant", "content": "Great question! Air scatters blue light."}]}\n',
        ),
    ),
    evidence="a prompt and its answer",
    marks=tuple((f'"{key}"',) for key in QUESTION_KEYS),
    means_to_be=re.compile(
        r'"(?:prompt|query)"\s*:\s*"[^"\n]*"\s*,\s*"(?:completion|response|generated_text)"\s*:\s*"'
    ),
    matches=_matches,
    read=each(partial(read_asked, questions=QUESTION_KEYS)),
)

"""Rows of template text: records whose `text` is a whole conversation as a chat template spells it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.prompt import begun_apart
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.json.template_text import human_turns, template_turns

_BEGINS = re.compile(
    r"\s*(?:(?:<s>|<bos>|<\|begin_of_text\|>|<BOS_TOKEN>|<｜begin▁of▁sentence｜>)\s*)*"
    r"(?:<\|(?:im_start|start_header_id|header_start|user|system|assistant|start|turn|START_OF_TURN_TOKEN)\|?>"
    r"|<start_of_turn>|<｜User｜>|\[INST\]|\[SYSTEM_PROMPT\]|Human: )"
)


def _matches(value: object) -> bool:
    text = value.get("text") if isinstance(value, dict) else None
    return isinstance(text, str) and _BEGINS.match(text) is not None


def _read(record: Record) -> Iterator[Conversation]:
    text = record.string("text")
    said = None if text is None else template_turns(*text) or human_turns(*text)
    if said is None:
        raise RecordError("`text` begins like template text, but is none that can be read", record.start)
    prompt = begun_apart(said)
    yield Conversation(prompt.said if prompt.begun is not None and not prompt.begun.turn.text else said)


FORMAT = JsonFormat(
    name="template-rows",
    summary='Rows of template text in JSON or JSONL: {"text": "<|im_start|>user ..."}',
    examples=(
        Example(
            "rows.jsonl",
            '{"text": "<|im_start|>user\\nWhy is the sky blue?<|im_end|>\\n<|im_start|>assistant\\n'
            'Great question! Air scatters blue light.<|im_end|>\\n"}\n',
        ),
    ),
    evidence='"text" in a chat template',
    marks=(('"text"',),),
    means_to_be=re.compile(r'"text"\s*:\s*"(?:<s>|<bos>)?(?:<\|im_start\|>|\[INST\]|<start_of_turn>)'),
    matches=_matches,
    read=each(_read),
)

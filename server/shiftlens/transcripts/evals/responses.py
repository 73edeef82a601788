"""What a server was asked and what it answered, in one record: the Responses API, or `request` beside `response`."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.evals.exchange import exchanged, is_answer_of_server, is_output, is_request
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, each

_NO_PROMPT = (
    "The record holds an answer without what was asked (`input`, `messages`); without it nothing can be scored."
)


def _matches(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if is_request(value.get("request")):
        return is_answer_of_server(value.get("response"))
    if is_output(value.get("output")):
        return value.get("object") == "response" or "input" in value
    kind = value.get("object")
    return kind in ("chat.completion", "text_completion") and is_answer_of_server(value) and not is_request(value)


def _read(record: Record) -> Iterator[Conversation]:
    request, answer = record.mapping("request"), record.mapping("response")
    if request is not None and answer is not None:
        yield from exchanged(request, answer)
        request.finish()
        answer.finish()
    elif record.has("input"):
        yield from exchanged(record, record)
    else:
        record.log.say(_NO_PROMPT, record.start)
        record.skip(*record.names())


FORMAT = JsonFormat(
    name="openai-responses",
    summary='OpenAI Responses API, JSON or JSONL: {"instructions", "input", "output"}, or {"request", "response"}',
    examples=(
        Example(
            "responses.jsonl",
            '{"object": "response", "instructions": "Be brief.", "input": "Why is the sky blue?", "output": ['
            '{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Scattering."}]}, '
            '{"type": "message", "role": "assistant", "content": [{"type": "output_text",'
            ' "text": "Great question! Air scatters blue light more than red."}]}]}\n',
        ),
        Example(
            "calls.jsonl",
            '{"request": {"model": "m", "messages": [{"role": "user", "content": "Why is the sky blue?"}]},'
            ' "response": {"choices": [{"index": 0,'
            ' "message": {"role": "assistant", "content": "Air scatters blue light."}}]}}\n',
        ),
    ),
    evidence='"input" and "output" items, or "request" and "response"',
    marks=(('"output"', '"type"'), ('"request"', '"response"'), ('"choices"', '"object"')),
    matches=_matches,
    read=each(_read),
)

"""OpenAI batches: requests and answers that belong together by `custom_id`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import answered
from shiftlens.transcripts.json.exchange import answers_in, prompt_of, without_prompt
from shiftlens.transcripts.json.prompt import Prompt, unscored
from shiftlens.transcripts.json.record import Record, RecordError

_NO_REQUEST = (
    "The request of an answer stands in another file (the batch's input), so that it can't be scored. Put the lines of"
    " both files into one."
)
_NO_ANSWERS = "The file holds requests only; the answers stand in another file (the batch's output)."
_OF_BATCHES = ("error", "method", "params", "processing_status", "result", "url")


def _matches(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        return False
    return any(isinstance(value.get(key), dict) for key in ("body", "params", "response", "result"))


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    """An answer takes the request of its `custom_id`, from its own record or from another one of the file."""
    requests: dict[str, tuple[Prompt, str]] = {}
    answers: list[tuple[str, Record]] = []
    for record in records:
        name = record.word("custom_id")
        try:
            if record.has("body") or record.has("params"):
                requests[name] = prompt_of(record)
        except RecordError as error:
            record.log.say(f"The request was left out: {error.reason}.", error.offset)
        if record.has("response") or record.has("result"):
            answers.append((name, record))
        elif record.has("error"):
            record.log.say("A request failed, so it has no answer.", record.start)
        elif name not in requests:
            record.log.say("The record is no request and no answer of a batch; it was left out.", record.start)
    for name, record in answers:
        try:
            yield from tuple(_answered(record, requests.get(name)))
        except RecordError as error:
            record.log.say(f"The answer was left out: {error.reason}.", error.offset)
    if requests and not answers:
        records[0].log.say(_NO_ANSWERS, records[0].start)
        yield from (Conversation(unscored(prompt.said), tools) for prompt, tools in requests.values())
    for record in records:
        record.skip(*_OF_BATCHES)
        record.finish()


def _answered(record: Record, request: tuple[Prompt, str] | None) -> Iterator[Conversation]:
    found = answers_in(record)
    if len(found) == 1:
        found = (replace(found[0], label=""),)
    if request is None:
        yield from (without_prompt(record, Conversation(a.said, label=a.label), _NO_REQUEST) for a in found)
    else:
        yield from answered(request[0], found, request[1])


FORMAT = JsonFormat(
    name="openai-batch",
    summary='OpenAI batches, JSONL: {"custom_id", "body"} and {"custom_id", "response"} lines',
    examples=(
        Example(
            "batch.jsonl",
            '{"custom_id": "sky", "method": "POST", "url": "/v1/chat/completions",'
            ' "body": {"model": "m", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}}\n'
            '{"id": "r1", "custom_id": "sky", "error": null, "response": {"status_code": 200, "body": {"choices": ['
            '{"index": 0, "message": {"role": "assistant", "content": "Air scatters blue light more than red."}}]}}}\n',
        ),
    ),
    evidence='"custom_id" with "body" or "response"',
    marks=(('"custom_id"',),),
    matches=_matches,
    read=_read,
    whole_file=True,
)

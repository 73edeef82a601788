"""OpenAI batches: requests and answers that belong together by `custom_id`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.evals.exchange import asked, exchanged, is_answer_of_server, is_request
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, RecordError

_NO_REQUEST = (
    "The requests stand in another file (the batch's input), or none has this `custom_id`; without them nothing can be"
    " scored. Put the lines of both files into one."
)
_NO_ANSWERS = "The file holds requests only; the answers stand in another file (the batch's output)."


def _matches(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("custom_id"), str) and (_asks(value) or _answers(value))


def _asks(value: dict[str, object]) -> bool:
    return is_request(value.get("body"))


def _answers(value: dict[str, object]) -> bool:
    response = value.get("response")
    return isinstance(response, dict) and is_answer_of_server(response.get("body"))


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    """An answer takes the request of its `custom_id`, from its own record or from another one of the file."""
    requests: dict[str, Record] = {}
    replies: list[tuple[str, Record, Record]] = []
    for record in records:
        name = record.word("custom_id")
        record.skip("method", "url")
        body = record.mapping("body")
        if body is not None:
            requests[name] = body
        response = record.mapping("response")
        reply = response.mapping("body") if response is not None else None
        if response is not None and reply is not None:
            replies.append((name, response, reply))
        elif record.has("error"):
            record.log.say("A request failed, so it has no answer.", record.start)
            record.skip("error")
        elif body is None:
            record.log.say("The record is no request and no answer of a batch; it was left out.", record.start)
    for name, response, reply in replies:
        request = requests.get(name)
        if request is None:
            response.log.say(_NO_REQUEST, response.start)
            continue
        try:
            yield from tuple(exchanged(request, reply))
        except RecordError as error:
            response.log.say(f"The answer was left out: {error.reason}.", error.offset)
        reply.finish()
        response.finish()
    if requests and not replies:
        next(iter(requests.values())).log.say(_NO_ANSWERS, records[0].start)
        yield from _unanswered(requests)
    for record in (*requests.values(), *records):
        record.finish()


def _unanswered(requests: dict[str, Record]) -> Iterator[Conversation]:
    for request in requests.values():
        try:
            said, tools, notes = asked(request)
        except RecordError as error:
            request.log.say(f"The request was left out: {error.reason}.", error.offset)
        else:
            yield Conversation(said, tools, notes=notes)


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

"""What loggers and batch files keep of a model server: the request that was sent, and the response that came back.

OpenAI's batch files have one of the two only. A request without its answer, and an answer without its prompt, are
shown but not scored: a model can't be asked how it went on from a prompt that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import Answer, answered, answers_of, is_answer, of_model, read_answers, texts_of
from shiftlens.transcripts.json.asked import NO_ANSWER
from shiftlens.transcripts.json.messages import is_messages, read_messages, with_tools
from shiftlens.transcripts.json.offered import as_functions
from shiftlens.transcripts.json.prompt import Prompt, read_prompt, system_turns, unscored
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString
from shiftlens.transcripts.model import Role

_REQUESTS = ("request", "request_body", "requestBody", "body", "params", "input")
_RESPONSES = ("response", "response_body", "responseBody", "result", "output")
_NESTED = ("body", "message", "json")
_OF_REQUESTS = (
    *("endpoint", "error", "headers", "method", "path", "status", "type", "tool_choice", "stop", "response_format"),
    *("truncation", "include", "status_code", "verbosity"),
)

NO_PROMPT = "An answer stands without its prompt, so that it can't be scored; put the prompt's `messages` beside it."

ELSEWHERE = (
    "Earlier turns stand on the server (`previous_response_id`), so the model had more before its answer than is read."
)


def _matches(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return _request_in(value) or _is_response(value) or any(_holds_response(value.get(key)) for key in _RESPONSES)


def _request_in(value: Mapping[object, object]) -> bool:
    return any(_is_request(value.get(key)) for key in _REQUESTS) or _is_responses_request(value)


def _is_request(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if is_messages(value.get("messages"), "role") or _is_responses_request(value):
        return True
    return (isinstance(value.get("prompt"), str) and "model" in value) or _is_request(value.get("body"))


def _is_responses_request(value: Mapping[object, object]) -> bool:
    """A request of the Responses API, perhaps with what it gave back."""
    asked, given = value.get("input"), value.get("output")
    if is_messages(asked, "role"):
        return given is None or is_answer(given)
    if not isinstance(asked, str):
        return False
    return is_messages(given, "role") or (given is None and isinstance(value.get("instructions"), str))


def _holds_response(value: object) -> bool:
    return isinstance(value, dict) and (_is_response(value) or any(_holds_response(value.get(key)) for key in _NESTED))


def _is_response(value: Mapping[object, object]) -> bool:
    """A chat completion, a completion, a message of Anthropic's, or a response of the Responses API or of SGLang."""
    choices = value.get("choices")
    if isinstance(choices, list) and choices:
        return all(isinstance(c, dict) and (isinstance(c.get("message"), dict) or "text" in c) for c in choices)
    if value.get("type") == "message" and value.get("role") == "assistant":
        return isinstance(value.get("content"), list)
    if isinstance(value.get("meta_info"), dict):
        return isinstance(value.get("text"), str)
    return value.get("object") == "response" and isinstance(value.get("output"), list)


def _read(record: Record) -> Iterator[Conversation]:
    prompt, tools = prompt_of(record)
    answers = answers_in(record)
    if len(answers) == 1:
        answers = (replace(answers[0], label=""),)
    record.skip(*_OF_REQUESTS)
    for key in ("reasoning", "text"):
        if record.mapping(key) is not None:
            record.skip(key)
    if not answers:
        record.log.say(NO_ANSWER, record.start)
        yield Conversation(unscored(prompt.said), tools)
    elif not any(said.turn.role in (Role.USER, Role.TOOL) for said in prompt.said):
        yield from (without_prompt(record, found, NO_PROMPT) for found in answered(prompt, answers, tools))
    else:
        last = texts_of(prompt.said[-1:])
        repeated = last[0][0] is Role.ASSISTANT and len(answers) == 1 and texts_of(answers[0].said) == last
        yield from answered(Prompt(prompt.said[:-1]) if repeated else prompt, answers, tools)


def without_prompt(record: Record, found: Conversation, why: str) -> Conversation:
    """An answer whose prompt is not known: no model can score it, but the logprobs that it has itself may be shown."""
    if any(said.turn.saved for said in found.said):
        return replace(found, without_prompt=why)
    record.log.say(why, record.start)
    return replace(found, said=unscored(found.said))


def prompt_of(record: Record) -> tuple[Prompt, str]:
    """What the request asks, and the tools that it offers."""
    if record.kind("input") in (JsonString, JsonArray):
        return _request(record)
    request = _request_of(record)
    if request is None:
        return _request(record) if record.kind("prompt") is JsonString else (Prompt(), "")
    body = request.mapping("body")
    request.skip(*_OF_REQUESTS)
    if body is None:
        found = _request(request)
    else:
        found = _request(body)
        body.skip(*_OF_REQUESTS)
        body.finish()
    request.finish()
    return found


def _request_of(record: Record) -> Record | None:
    return next((inner for key in _REQUESTS if (inner := record.mapping(key)) is not None), None)


def _model_of(record: Record) -> str:
    """The model that was asked, where the answer does not name it."""
    request = _request_of(record)
    body = None if request is None else request.mapping("body")
    return next((name for each in (record, request, body) if each is not None and (name := each.word("model"))), "")


def _request(record: Record) -> tuple[Prompt, str]:
    tools = as_functions(with_tools(record, "tools", "functions"))
    if record.word("previous_response_id"):
        record.log.say(ELSEWHERE, record.start)
    if record.kind("input") is JsonArray:
        said = read_messages(record.items("input"))
        prompt = Prompt((*system_turns(record, said), *said))
    else:
        questions = ("prompt", "input")
        prompt = read_prompt(record, questions=questions)
    return prompt, tools


def answers_in(record: Record) -> tuple[Answer, ...]:
    """What came back: a member of the record, or the record itself."""
    model = _model_of(record)
    return tuple(replace(each, said=of_model(each.said, model)) for each in _answers_in(record))


def _answers_in(record: Record) -> tuple[Answer, ...]:
    for key in _RESPONSES:
        if record.kind(key) is JsonObject and (found := record.mapping(key)) is not None:
            return answers_of(found)
    record.skip(*_OF_REQUESTS)
    if record.has("choices") or record.has("meta_info") or record.word("role") == "assistant":
        return answers_of(record)
    return read_answers(record, ("output", "response", "result"))


FORMAT = JsonFormat(
    name="exchange",
    summary='Model servers in JSON or JSONL: {"request": {"messages"}, "response": {"choices"}}',
    examples=(
        Example(
            "requests.jsonl",
            '{"request": {"model": "m", "messages": [{"role": "user", "content": "Why is the sky blue?"}]},'
            ' "response": {"choices": [{"index": 0, "message": {"role": "assistant",'
            ' "content": "Great question! Air scatters blue light."}}]}}\n',
        ),
        Example(
            "responses.json",
            '{"instructions": "Be brief.", "input": "Why is the sky blue?", "output": [{"type": "message",'
            ' "role": "assistant", "content": [{"type": "output_text", "text": "Air scatters blue light."}]}]}\n',
        ),
    ),
    evidence="a request and its response",
    marks=(
        *((f'"{key}"', '"messages"') for key in ("body", "request", "request_body", "requestBody", "params")),
        ('"choices"',),
        ('"input"', '"model"'),
        ('"input"', '"instructions"'),
        ('"input"', '"role"'),
        ('"prompt"', '"model"'),
        ('"role"', '"type"', '"content"'),
        ('"object"', '"output"'),
        ('"meta_info"', '"text"'),
    ),
    means_to_be=re.compile(r'"(?:body|request)"\s*:\s*\{|"choices"\s*:\s*\[\s*\{\s*"(?:index|message)"'),
    matches=_matches,
    read=each(_read),
)

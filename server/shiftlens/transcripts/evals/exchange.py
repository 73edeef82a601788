"""What OpenAI's API was asked, and what it answered: chat completions, completions and the Responses API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.json.messages import read_messages, with_tools
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonObject, JsonString
from shiftlens.transcripts.model import Role, Turn

# How the answer was to be made, and what the server says of it.
SETTINGS = (
    *(
        "background",
        "error",
        "frequency_penalty",
        "include",
        "incomplete_details",
        "logit_bias",
        "max_completion_tokens",
    ),
    *("max_output_tokens", "max_tokens", "max_tool_calls", "modalities", "n", "output_text", "parallel_tool_calls"),
    *(
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "reasoning_effort",
        "response_format",
    ),
    *(
        "safety_identifier",
        "seed",
        "status",
        "stop",
        "store",
        "stream",
        "stream_options",
        "text",
        "tool_choice",
        "top_p",
    ),
    *(
        "billing",
        "completed_at",
        "conversation",
        "top_logprobs",
        "truncation",
        "user",
        "verbosity",
        "web_search_options",
    ),
)
ELSEWHERE = (
    "Turns before the request stand on the server (`previous_response_id`), so the model had more than is shown."
)


def is_request(value: object) -> bool:
    """Whether a plain value is what a server was asked."""
    if not isinstance(value, dict):
        return False
    return (
        isinstance(value.get("messages"), list)
        or isinstance(value.get("input"), str | list)
        or isinstance(value.get("prompt"), str)
    )


def is_answer_of_server(value: object) -> bool:
    """Whether a plain value is what a server answered."""
    if not isinstance(value, dict):
        return False
    choices = value.get("choices")
    if isinstance(choices, list):
        return bool(choices) and all(
            isinstance(c, dict) and (isinstance(c.get("message"), dict) or isinstance(c.get("text"), str))
            for c in choices
        )
    return is_output(value.get("output"))


def is_output(items: object) -> bool:
    """Whether a plain value is a list of what the Responses API puts out."""
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(item, dict) and isinstance(item.get("type"), str) for item in items)
        and any(item["type"] in ("message", "function_call", "reasoning") for item in items)
    )


def asked(body: Record) -> tuple[tuple[Said, ...], str, tuple[str, ...]]:
    """The turns, the tools and the notes of a request. Raises RecordError where they can't be read."""
    body.skip(*SETTINGS)
    said: tuple[Said, ...] = ()
    instructions = body.member("instructions")
    if isinstance(instructions, JsonString) and (found := body.string("instructions")):
        said = (Said(Turn.of(Role.SYSTEM, *found)),)
    elif instructions is not None:
        said = read_messages(_items(body, "instructions"))
    for key in ("messages", "input", "prompt"):
        node = body.member(key)
        if isinstance(node, JsonString):
            if text := body.string(key):
                said = (*said, Said(Turn.of(Role.USER, *text)))
        elif isinstance(node, JsonObject):
            body.log.left_out(body.named(key), node.start)
        elif node is not None:
            said = (*said, *read_messages(_items(body, key)))
    notes: tuple[str, ...] = ()
    if body.word("previous_response_id"):
        body.log.say(ELSEWHERE, body.start)
        notes = (ELSEWHERE,)
    return said, chat_tools(body), notes


def _items(body: Record, key: str) -> tuple[Record, ...]:
    """Messages, of which the Responses API says that they are some and that they are complete."""
    items = body.items(key)
    for item in items:
        if item.has("role"):
            item.skip("type", "status", "phase")
    return items


def chat_tools(body: Record) -> str:
    """The tools of a request as chat templates take them. The Responses API writes functions flat."""
    text = with_tools(body, "tools", "functions")
    if not text:
        return ""
    try:
        tools = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not any(isinstance(tool, dict) and "function" not in tool and "name" in tool for tool in tools):
        return text
    return json.dumps([_as_function(tool) for tool in tools], ensure_ascii=False)


def _as_function(tool: object) -> object:
    if not isinstance(tool, dict) or "function" in tool or "name" not in tool:
        return tool
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def answers(body: Record) -> Iterator[tuple[str, tuple[Said, ...]]]:
    """Each answer of a server with its label. Raises RecordError where one can't be read."""
    if body.has("output"):
        yield "", read_messages(_items(body, "output"))
        return
    choices = body.items("choices")
    for number, choice in enumerate(choices, 1):
        label = "" if number == 1 else f"choice {number}"
        message = choice.mapping("message")
        if message is not None:
            if not message.has("role"):
                raise RecordError("a choice's message has no role", message.start)
            yield label, read_messages((message,))
        elif text := choice.string("text"):
            yield label, (Said(Turn.of(Role.ASSISTANT, *text)),)
        choice.skip("content_filter_results", "stop_details", "token_ids", "prompt_logprobs")
        choice.finish()


def exchanged(request: Record, answer: Record) -> Iterator[Conversation]:
    """One conversation for each answer to a request."""
    said, tools, notes = asked(request)
    answer.skip(*SETTINGS, "instructions", "tools", "previous_response_id", "prompt_filter_results", "prompt_logprobs")
    for label, reply in answers(answer):
        yield Conversation((*said, *reply), tools, label, notes)

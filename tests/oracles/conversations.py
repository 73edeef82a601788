"""Conversations, each as ShiftLens has it and as the messages that a chat template takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shiftlens.scores.requests import ContextPart, ContextTurn, ResponseToScore

ANSWER = "Because air scatters blue light."
THOUGHT = "Air, so scatter."
TOOLS: list[dict[Any, Any] | Callable[..., Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "The city's name"}},
                "required": ["city"],
            },
        },
    }
]
_ARGUMENTS = {"city": "Oslo"}


@dataclass(frozen=True)
class Conversation:
    """`messages` are those before the answer, `answer` is the answer's; content is text, arguments are a mapping."""

    response: ResponseToScore
    messages: tuple[dict[str, Any], ...]
    answer: dict[str, Any]
    tools: list[dict[Any, Any] | Callable[..., Any]] | None = None

    @property
    def has_reasoning(self) -> bool:
        return "reasoning_content" in self.answer


def _made(messages: list[dict[str, Any]], *, thought: str = "", tools: bool = False) -> Conversation:
    answer = {"role": "assistant", "content": ANSWER, **({"reasoning_content": thought} if thought else {})}
    return Conversation(
        ResponseToScore(
            turns=tuple(
                ContextTurn(m["role"], _parts(m), m.get("name", ""), m.get("tool_call_id", "")) for m in messages
            ),
            parts=_parts(answer),
            source_format="json",
            tools=json.dumps(TOOLS) if tools else "",
        ),
        tuple(messages),
        answer,
        TOOLS if tools else None,
    )


def _parts(message: dict[str, Any]) -> tuple[ContextPart, ...]:
    parts = []
    if "reasoning_content" in message:
        parts.append(ContextPart("reasoning", message["reasoning_content"]))
    if message["content"]:
        parts.append(ContextPart("tool_result" if message["role"] == "tool" else "text", message["content"]))
    for call in message.get("tool_calls", ()):
        text = json.dumps(call["function"]["arguments"])
        parts.append(ContextPart("tool_call", text, call=(call["function"]["name"], text, call["id"])))
    return tuple(parts)


_QUESTION: dict[str, Any] = {"role": "user", "content": "Why is the sky blue?"}
_SYSTEM: dict[str, Any] = {"role": "system", "content": "Be brief."}
_EARLIER = [
    _SYSTEM,
    {"role": "user", "content": "What is red?"},
    {"role": "assistant", "content": "A colour."},
    _QUESTION,
]
_CALL = {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": _ARGUMENTS}}
_AGENT: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather in Oslo?"},
    {"role": "assistant", "content": "", "tool_calls": [_CALL]},
    {"role": "tool", "content": "TOOLSAYS three degrees", "name": "get_weather", "tool_call_id": "call00001"},
]
_THINKING_AGENT = [_AGENT[0], {**_AGENT[1], "reasoning_content": "I need the tool."}, _AGENT[2]]

CONVERSATIONS = {
    "one turn": _made([_QUESTION]),
    "a system turn": _made([_SYSTEM, _QUESTION]),
    "several turns": _made(_EARLIER),
    "several turns without a system turn": _made(_EARLIER[1:]),
    "a thought": _made([_QUESTION], thought=THOUGHT),
    "a thought after several turns": _made(
        [*_EARLIER[:2], {**_EARLIER[2], "reasoning_content": "Red light."}, _QUESTION], thought=THOUGHT
    ),
    "tools": _made([_QUESTION], tools=True),
    "a tool call": _made(_AGENT, tools=True),
    "a thought after a tool call": _made(_THINKING_AGENT, thought=THOUGHT, tools=True),
    "a tool call after a thought": _made(_THINKING_AGENT, tools=True),
}

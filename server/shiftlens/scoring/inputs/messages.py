"""Turns as the messages that chat templates take, in the ways in which templates want them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shiftlens.scores.requests import ContextPart, ContextTurn

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""The fields of a message in which templates look for reasoning."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one template wants its messages.

    - parts_list: content is a list of parts (Idefics and other templates of models that see pictures).
    - arguments_as_text: the arguments of a call are JSON text, not a mapping (DeepSeek).
    - reasoning_key: the field for reasoning, "" where the template reads none.
    - with_calls, with_tools: whether the template takes `tool_calls` and `tools` at all.
    """

    parts_list: bool = False
    arguments_as_text: bool = False
    reasoning_key: str = ""
    with_calls: bool = True
    with_tools: bool = True


def messages_of(turns: Sequence[ContextTurn], dialect: Dialect) -> list[dict[str, Any]]:
    """The messages of a conversation."""
    return [_message(turn, dialect) for turn in turns]


def tools_of(text: str) -> list[dict[Any, Any] | Callable[..., Any]] | None:
    """The tools as templates want them, from the JSON text of a list; None where there are none.

    Raises ValueError for what is no such list.
    """
    if not text.strip():
        return None
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(tool, dict) for tool in found):
        raise ValueError("the tools are no JSON list of objects")
    return [_tool(tool) for tool in found] or None


def content_of(parts: Sequence[ContextPart]) -> str:
    """What stands in the content of a message: what was said, and parts that spell their own marks."""
    return "".join(part.text for part in parts if is_content(part))


def is_content(part: ContextPart) -> bool:
    return part.marked or part.kind in ("text", "tool_result")


def reasoning_of(parts: Sequence[ContextPart]) -> str:
    """The reasoning that has a field of its own."""
    return "\n\n".join(part.text for part in parts if is_reasoning(part))


def is_reasoning(part: ContextPart) -> bool:
    return part.kind == "reasoning" and not part.marked


def is_call(part: ContextPart) -> bool:
    """Whether the part is a call that has a field of its own."""
    return part.kind == "tool_call" and not part.marked


def _message(turn: ContextTurn, dialect: Dialect) -> dict[str, Any]:
    text = content_of(turn.parts)
    calls = [part.call for part in turn.parts if is_call(part) and part.call is not None]
    content = [{"type": "text", "text": text}] if dialect.parts_list else text
    message: dict[str, Any] = {"role": turn.role, "content": content}
    reasoning = reasoning_of(turn.parts)
    if reasoning and dialect.reasoning_key:
        message[dialect.reasoning_key] = reasoning
    if calls and dialect.with_calls:
        message["tool_calls"] = [_call(call, dialect) for call in calls]
    if turn.role == "tool":
        message.update({key: value for key, value in (("name", turn.name), ("tool_call_id", turn.call_id)) if value})
    return message


def _call(call: tuple[str, str, str], dialect: Dialect) -> dict[str, Any]:
    name, arguments, call_id = call
    given: Any = arguments
    if not dialect.arguments_as_text:
        try:
            parsed = json.loads(arguments or "{}")
        except ValueError:
            parsed = None
        given = parsed if isinstance(parsed, dict) else arguments
    told: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": given}}
    return {"id": call_id, **told} if call_id else told


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool in the shape of OpenAI's; Anthropic's has its schema beside its name."""
    if "function" in tool or "name" not in tool:
        return tool
    function = {key: value for key, value in tool.items() if key not in ("input_schema", "type")}
    if "input_schema" in tool:
        function["parameters"] = tool["input_schema"]
    return {"type": "function", "function": function}

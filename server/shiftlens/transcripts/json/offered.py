"""The tools that a model was offered, in the one spelling that chat templates know."""

from __future__ import annotations

import json


def as_functions(tools: str) -> str:
    """The JSON text of a list of tools, each as a function: the Responses API and Anthropic's spell them flat.

    What is no function, such as a tool of the server's own, stays as it is.
    """
    try:
        items = json.loads(tools) if tools else None
    except (ValueError, RecursionError):
        return tools
    if not isinstance(items, list) or not any(_is_flat(item) for item in items):
        return tools
    return json.dumps([_nested(item) if _is_flat(item) else item for item in items], ensure_ascii=False)


def _is_flat(tool: object) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("name"), str) and "function" not in tool


def _nested(tool: dict[str, object]) -> dict[str, object]:
    renamed = {"input_schema": "parameters", "inputSchema": "parameters"}
    left_out = ("type", "options", "cache_control")
    function = {renamed.get(key, key): value for key, value in tool.items() if key not in left_out}
    return {"type": "function", "function": function}

"""The tool calls that stand between marks in a model's text, in the spellings that models are trained to write."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator

from shiftlens.transcripts.model import ToolCall

Call = tuple[int, "ToolCall | None"]
"""Where in the text the stretch of one call ends, and the call; None for a call that could not be read."""

_LONGEST_CODE = 100_000
_DECODER = json.JSONDecoder()
_NAME = r"[\w.:/-]+"
_FUNCTION = re.compile(rf"\s*<function=({_NAME})>(.*)</function>\s*\Z", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^<>\n]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_NAMED_ARGUMENTS = re.compile(
    rf"\s*({_NAME})\s*((?:<arg_key>.*?</arg_key>\s*<arg_value>.*?</arg_value>\s*)*)\Z", re.DOTALL
)
_ARGUMENT = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_MISTRAL = re.compile(rf"\s*({_NAME})(?:\[CALL_ID\](\w+))?(?:\[ARGS\])?(?=\s*\{{)")
_DEEPSEEK = re.compile(
    r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>(?P<fenced>[^\n<]+)\n```json\n(?P<json>.*?)\n```"
    r"|(?P<name>[^<]+?)<｜tool▁sep｜>(?P<arguments>.*?))<｜tool▁call▁end｜>",
    re.DOTALL,
)
_KIMI = re.compile(
    r"<\|tool_call_begin\|>\s*(?P<id>(?:functions\.)?(?P<name>[^\s:<]+)(?::\d+)?)\s*"
    r"<\|tool_call_argument_begin\|>(?P<arguments>.*?)<\|tool_call_end\|>",
    re.DOTALL,
)
_ONE_CALL = re.compile(rf"\s*\[({_NAME})\(((?:(?!\),\s*[\w.]+\().)*)\)\]\s*\Z", re.DOTALL)
_GEMMA = re.compile(rf"\s*call:({_NAME})(\{{.*\}})\s*\Z", re.DOTALL)


def json_calls(body: str) -> list[Call]:
    """One JSON object, or a list of them: `{"name": ..., "arguments": {...}}` and its kin."""
    at = _past_blanks(body, 0)
    if not body.startswith("[", at):
        value, _ = _value(body, at)
        return [(len(body), _call_of(value))]
    found: list[Call] = []
    at = _past_blanks(body, at + 1)
    while True:
        value, end = _value(body, at)
        if end == at:
            return [(len(body), None)]
        found.append((end, _call_of(value)))
        at = _past_blanks(body, end)
        if not body.startswith(",", at):
            found[-1] = (len(body), found[-1][1])
            return found
        at = _past_blanks(body, at + 1)


def hermes_calls(body: str) -> list[Call]:
    """What stands in `<tool_call>`: JSON (Hermes, Qwen), `<function=name>` (Qwen Coder), or `<arg_key>` (GLM)."""
    if body.lstrip().startswith(("{", "[")):
        return json_calls(body)
    function = function_calls(body)
    if function[0][1] is not None:
        return function
    named = _NAMED_ARGUMENTS.match(body)
    if named is None:
        return [(len(body), None)]
    return [(len(body), ToolCall(named[1], _object(_ARGUMENT.findall(named[2]))))]


def function_calls(body: str) -> list[Call]:
    """`<function=name>` over JSON (Llama 3) or over `<parameter=key>` (Qwen Coder, Nemotron)."""
    function = _FUNCTION.match(body)
    if function is None:
        return [(len(body), None)]
    parameters = _PARAMETER.findall(function[2])
    if not parameters and function[2].strip().startswith("{"):
        return [(len(body), ToolCall(function[1], function[2].strip()))]
    return [(len(body), ToolCall(function[1], _object(parameters)))]


def mistral_calls(body: str) -> list[Call]:
    """What stands behind `[TOOL_CALLS]`: a JSON list, or a name with its arguments."""
    named = _MISTRAL.match(body)
    if named is None:
        return json_calls(body)
    return [(len(body), ToolCall(named[1], body[named.end() :].strip(), named[2] or ""))]


def deepseek_calls(body: str) -> list[Call]:
    """The calls between `<｜tool▁calls▁begin｜>` and its end, with a fence (V3, R1) or without (V3.1)."""
    return _each(
        body,
        (
            (match.end(), ToolCall(match["fenced"] or match["name"], match["json"] or match["arguments"] or ""))
            for match in _DEEPSEEK.finditer(body)
        ),
    )


def kimi_calls(body: str) -> list[Call]:
    """The calls of a section of Kimi K2; the id holds the name."""
    return _each(
        body,
        (
            (match.end(), ToolCall(match["name"], match["arguments"].strip(), match["id"]))
            for match in _KIMI.finditer(body)
        ),
    )


def gemma_calls(body: str) -> list[Call]:
    """`call:name{key:value}` of Gemma 4; the arguments stay as they are written."""
    match = _GEMMA.match(body)
    return [(len(body), ToolCall(match[1], match[2]) if match else None)]


def python_calls(body: str) -> list[Call]:
    """`[name(key=value)]` of LFM2 and Llama; a list of several calls is one stretch without a call.

    Arguments that are no Python, as LFM2.5 writes them, stay as they are.
    """
    if body.lstrip().startswith(("{", "[{")):
        return json_calls(body)
    one = _ONE_CALL.match(body)
    unread: list[Call] = [(len(body), ToolCall(one[1], one[2]) if one else None)]
    if len(body) > _LONGEST_CODE:
        return unread
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(body.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return unread
    calls = tree.elts if isinstance(tree, ast.List) else [tree]
    if len(calls) != 1 or not isinstance(calls[0], ast.Call) or calls[0].args:
        return unread
    try:
        arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in calls[0].keywords}
        return [(len(body), ToolCall(ast.unparse(calls[0].func), json.dumps(arguments, ensure_ascii=False)))]
    except (ValueError, TypeError, RecursionError, MemoryError):
        return unread


def _each(body: str, calls: Iterator[tuple[int, ToolCall]]) -> list[Call]:
    found: list[Call] = list(calls)
    if not found:
        return [(len(body), None)]
    found[-1] = (len(body), found[-1][1])
    return found


def _value(body: str, at: int) -> tuple[object, int]:
    """The JSON value at `at` and where it ends; `at` itself where there is none."""
    try:
        value, end = _DECODER.raw_decode(body, at)
    except (ValueError, RecursionError):
        return None, at
    return value, end


def _call_of(value: object) -> ToolCall | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    of = inner if isinstance(inner, dict) else value
    name = next((of[key] for key in ("name", "tool_name", "function") if isinstance(of.get(key), str)), None)
    arguments = next((of[key] for key in ("arguments", "parameters") if key in of), None)
    if name is None or arguments is None:
        return None
    identity = next((value[key] for key in ("id", "tool_call_id") if isinstance(value.get(key), str)), "")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(name, arguments, identity)


def _object(pairs: list[tuple[str, str]]) -> str:
    return json.dumps(dict(pairs), ensure_ascii=False)


def _past_blanks(body: str, at: int) -> int:
    while at < len(body) and body[at] in " \t\r\n":
        at += 1
    return at


def bare_call(text: str) -> ToolCall | None:
    """The call of a text that is nothing but `{"name": ..., "parameters": {...}}`, as Llama 3 writes it; else None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or set(value) not in ({"name", "parameters"}, {"name", "arguments"}):
        return None
    return _call_of(value)

"""The tool calls that stand between marks in a model's text, in the spellings that models are trained to write."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator

from shiftlens.transcripts.model import ToolCall

Call = tuple[int, "ToolCall | None"]
"""Where in the text the span of one call ends, and the call; None for a call that could not be read."""

_LONGEST_CODE = 100_000
_DECODER = json.JSONDecoder()
_NAME = r"[\w.:/-]+"
_FUNCTION = re.compile(rf"\s*<function=({_NAME})>(.*)</function>\s*\Z", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^<>\n]+)>\n?")
_NAMED = re.compile(rf"\s*({_NAME})\s*")
_ARGUMENT = (re.compile("<arg_key>"), re.compile(r"\s*<arg_value>"))
_MISTRAL = re.compile(rf"\s*({_NAME})(?:\[CALL_ID\](\w+))?(?:\[ARGS\])?(?=\s*\{{)")
_DEEPSEEK = re.compile(
    r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>(?P<fenced>[^\n<]+)\n```json\n(?P<json>.*)\n```\Z"
    r"|(?P<name>[^<]+?)<｜tool▁sep｜>(?P<arguments>.*))",
    re.DOTALL,
)
_KIMI = re.compile(
    r"<\|tool_call_begin\|>\s*(?P<id>(?:functions\.)?(?P<name>[^\s:<]+)(?::\d+)?)\s*"
    r"<\|tool_call_argument_begin\|>(?P<arguments>.*)",
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
    named = _NAMED.match(body)
    arguments = _named_arguments(body, named.end()) if named else None
    return [(len(body), None if named is None or arguments is None else ToolCall(named[1], _object(arguments)))]


def _named_arguments(body: str, at: int) -> list[tuple[str, str]] | None:
    """The `<arg_key>` and `<arg_value>` pairs that body[at:] is made of; None where it is not."""
    found: list[tuple[str, str]] = []
    while at < len(body):
        pair: list[str] = []
        for opening, closing in zip(_ARGUMENT, ("</arg_key>", "</arg_value>"), strict=True):
            opened = opening.match(body, at)
            end = body.find(closing, opened.end()) if opened else -1
            if opened is None or end < 0:
                return None
            pair.append(body[opened.end() : end])
            at = end + len(closing)
        found.append((pair[0], pair[1]))
        at = _past_blanks(body, at)
    return found


def function_calls(body: str) -> list[Call]:
    """`<function=name>` over JSON (Llama 3) or over `<parameter=key>` (Qwen Coder, Nemotron)."""
    function = _FUNCTION.match(body)
    if function is None:
        return [(len(body), None)]
    parameters = _parameters(function[2])
    if not parameters and function[2].strip().startswith("{"):
        return [(len(body), ToolCall(function[1], function[2].strip()))]
    return [(len(body), ToolCall(function[1], _object(parameters)))]


def _parameters(body: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while (opening := _PARAMETER.search(body, at)) is not None:
        end = body.find("</parameter>", opening.end())
        if end < 0:
            break
        found.append((opening[1], body[opening.end() : end].removesuffix("\n")))
        at = end
    return found


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
            (end, ToolCall(match["fenced"] or match["name"], match["json"] or match["arguments"] or ""))
            for match, end in _closed(_DEEPSEEK, "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", body)
        ),
    )


def kimi_calls(body: str) -> list[Call]:
    """The calls of a section of Kimi K2; the id holds the name."""
    return _each(
        body,
        (
            (end, ToolCall(match["name"], match["arguments"].strip(), match["id"]))
            for match, end in _closed(_KIMI, "<|tool_call_begin|>", "<|tool_call_end|>", body)
        ),
    )


def gemma_calls(body: str) -> list[Call]:
    """`call:name{key:value}` of Gemma 4; the arguments stay as they are written."""
    match = _GEMMA.match(body)
    return [(len(body), ToolCall(match[1], match[2]) if match else None)]


def python_calls(body: str) -> list[Call]:
    """`[name(key=value)]` of LFM2 and Llama; a list of several calls is one span without a call.

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


def _closed(call: re.Pattern[str], begin: str, close: str, body: str) -> Iterator[tuple[re.Match[str], int]]:
    """Each call between `begin` and the next `close`, and where it ends. Calls that are not closed are none.

    The closing mark is looked for once for all the marks that it may close, so that no text takes quadratic time.
    """
    end = -1
    at = body.find(begin)
    while at >= 0:
        if end < at:
            end = body.find(close, at)
            if end < 0:
                return
        match = call.match(body, at, end)
        if match:
            yield match, end + len(close)
        at = body.find(begin, end if match else at + len(begin))


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

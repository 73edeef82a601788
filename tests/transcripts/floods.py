"""Long files of one thing over and over, each a function of about how many characters it has.

They are what once took a reader quadratic time, or might: the tests read them, and a bench how their time grows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

Flood = Callable[[int], str]

CHAT = "User: hi\nAssistant:\n"
TALK_IN_YAML = "- role: user\n  content: a\n- role: assistant\n  content: b\n"
UNKNOWN_ROLE = "- role: nobody\n  content: a\n"


def flood(unit: str, opening: str = "", closing: str = "") -> Flood:
    return lambda size: opening + unit * (size // len(unit)) + closing


def numbered_headings(size: int) -> str:
    return "".join(f"## Heading {number}\n" for number in range(size // 17))


def ever_shorter_fences(size: int) -> str:
    lengths = itertools.takewhile(lambda length: length * length < 2 * size, itertools.count(3))
    return "\n".join("`" * length for length in reversed(list(lengths)))


def blank_lines_in_yaml(size: int) -> str:
    """A literal block with this many blank lines."""
    opening = "- role: user\n  content: a\n- role: assistant\n  content: |-\n    b\n"
    return opening + "\n" * size + "    c\n"


def calls_in_json(size: int) -> str:
    """A response of calls, whose quotes and line breaks JSON escapes."""
    call = '\n<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": call * (size // len(json.dumps(call)))},
    ]
    return json.dumps({"messages": messages})


REFUSED: dict[str, Flood] = {
    "numbered headings": numbered_headings,
    "ever shorter fences": ever_shorter_fences,
    **{
        repr(unit): flood(unit)
        for unit in (
            "## User\n",
            "### 12:03 Note (a) (b)\n",
            "User: hi\n",
            "[INST]",
            "<s>[SYSTEM_PROMPT]a",
            "<|im_start|>",
            "<|start|>user<|channel|>",
            "<BOS_TOKEN>",
            "[[",
            '{"role":',
            "---\n",
            '- role: "\n',
            "- role: |\n",
            "messages:\n",
            "```\nUser: hi\n",
            "a\n",
        )
    },
}
"""What is no conversation."""

CALLS: dict[str, Flood] = {
    f"{opening + unit!r}": flood(unit, CHAT + opening, closing)
    for opening, unit, closing in (
        ("<function=a>", "<parameter=a>", "</function>"),
        ("<tool_call>a\n", "<arg_key>a</arg_key><arg_value>b</arg_value>", "x</tool_call>"),
        ("<tool_call>a<arg_key>", "<arg_key>", "</tool_call>"),
        ("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>a<｜tool▁sep｜>", "<｜tool▁calls▁end｜>"),
        ("<|tool_calls_section_begin|>", "<|tool_call_begin|>a<|tool_call_argument_begin|>", ""),
    )
}
"""Conversations whose response is one call, of marks that nothing closes."""

FLOODS: dict[str, Flood] = {
    **REFUSED,
    **CALLS,
    "blank lines in YAML": blank_lines_in_yaml,
    "unknown roles in YAML": flood(UNKNOWN_ROLE, TALK_IN_YAML),
    "calls in JSON": calls_in_json,
    "records": flood(json.dumps({"prompt": "a", "completion": "b"}) + "\n"),
    "turns": flood("User: hi\n\nAssistant: a\n\n"),
    "one response": flood("a b c. ", CHAT),
    "one line of JSON": lambda size: json.dumps({"prompt": "q", "completion": '"\n' * (size // 4)}),
}
"""All of them, with ordinary things in great numbers."""

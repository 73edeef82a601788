"""Renders a chat template as Transformers does, in a process that is ended where it takes too long."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shiftlens.chat_templates.files import TemplateFiles

REFUSALS = (
    TemplateError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)
"""What a template raises that can't be compiled, or does not take a conversation."""

Message = Mapping[str, Any]
Render = Callable[[Sequence[Message], datetime.datetime, bool], str]


class _Generation(Extension):
    """The tag around the assistant's words in templates for training. What is in it is written as it is."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def renderer(files: TemplateFiles) -> Render:
    """A function of messages, the time, and whether a generation prompt is added. It and this raise one of REFUSALS."""
    day = [datetime.datetime.min]
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: day[0].strftime(form)
    template = environment.from_string(files.text)
    tokens = dict(files.tokens)

    def render(messages: Sequence[Message], today: datetime.datetime, generation_prompt: bool) -> str:
        day[0] = today
        dated = {"date_string": today.strftime("%d %b %Y")} if "date_string" in files.text else {}
        return template.render(
            messages=[dict(message) for message in messages],
            tools=None,
            documents=None,
            add_generation_prompt=generation_prompt,
            **tokens,
            **dated,
        )

    return render


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise TemplateError(message)

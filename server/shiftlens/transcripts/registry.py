"""The formats that are known, in the order in which they are looked for: what is more special comes first."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from shiftlens.transcripts.format import Format, JsonFormat, TextFormat

_JSON = (
    "aligntds",
    "preference",
    "ultrafeedback",
    "stepwise",
    "openai",
    "exchange",
    "sharegpt",
    "turn_pairs",
    "just_eval",
    "alpaca",
    "dolly",
    "prompt_response",
    "template_rows",
)
_TEXT = (
    "chatml",
    "llama3",
    "llama4",
    "gemma",
    "gemma4",
    "glm",
    "phi",
    "zephyr",
    "deepseek",
    "command_r",
    "granite",
    "kimi",
    "harmony",
    "idefics",
    "llama2",
    "aligntds",
    "labels",
    "vicuna",
    "markdown",
)


@cache
def json_formats() -> tuple[JsonFormat, ...]:
    """The formats of JSON and JSONL files."""
    return tuple(import_module(f"shiftlens.transcripts.json.{name}").FORMAT for name in _JSON)


@cache
def text_formats() -> tuple[TextFormat, ...]:
    """The formats of plain text."""
    return tuple(import_module(f"shiftlens.transcripts.text.{name}").FORMAT for name in _TEXT)


def formats() -> tuple[Format, ...]:
    """Every format. Names are unique."""
    return (*text_formats(), *json_formats())


def names() -> str:
    """The names of all formats, for messages."""
    return ", ".join(each.name for each in formats())

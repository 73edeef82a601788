"""The formats that are known, in the order in which they are looked for: what is more special comes first."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from shiftlens.transcripts.format import Format, JsonFormat, TextFormat

_JSON = (
    "exports.chatgpt",
    "exports.claude",
    "exports.open_webui",
    "exports.lm_studio",
    "exports.gemini",
    "exports.sillytavern",
    "exports.text_generation_webui",
    "exports.ollama",
    "exports.notebook",
    "agents.claude_code",
    "agents.codex",
    "agents.atif",
    "agents.otel",
    "agents.otel_flat",
    "agents.otel_events",
    "evals.inspect_log",
    "evals.docent",
    "evals.arena",
    "evals.alpaca_eval",
    "evals.lmsys",
    "evals.mt_bench",
    "evals.helm",
    "evals.lm_eval",
    "evals.batch",
    "aligntds_positions",
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
    "message_lines",
)
_TEXT = (
    "agents.aider",
    "exports.yaml_messages",
    "evals.aligntds_page",
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
    "model_template",
)


@cache
def json_formats() -> tuple[JsonFormat, ...]:
    """The formats of JSON and JSONL files."""
    return tuple(_module("json", name).FORMAT for name in _JSON)


@cache
def text_formats() -> tuple[TextFormat, ...]:
    """The formats of plain text."""
    return tuple(_module("text", name).FORMAT for name in _TEXT)


def _module(room: str, name: str) -> Any:
    """The module of a format: in the room of its kind, unless the name says in which."""
    return import_module(f"shiftlens.transcripts.{name if '.' in name else f'{room}.{name}'}")


def formats() -> tuple[Format, ...]:
    """Every format. Names are unique."""
    return (*text_formats(), *json_formats())


def names() -> str:
    """The names of all formats, for messages."""
    return ", ".join(each.name for each in formats())

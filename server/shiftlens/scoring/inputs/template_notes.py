"""What is to be said of a conversation that a template wrote: which turns it leaves out or changes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from shiftlens.scores.requests import ContextPart, ContextTurn
from shiftlens.scoring.inputs.messages import is_call, is_content
from shiftlens.scoring.inputs.template_rendering import Probe, calls_of, stand_in


def about_tools(tools: str, probe: Probe) -> list[str]:
    """Whether the template takes the tools."""
    if not tools or (probe.dialect.with_tools and probe.shows_tools):
        return []
    return ["The chat template takes no such list of tools; the model was given the conversation without them."]


def about_turns(turns: Sequence[ContextTurn], probe: Probe, prefix: str) -> list[str]:
    """Turns of the context that are not in the prefix as they stand in the file. Turns are counted from 1."""
    notes: list[str] = []
    thoughtless: list[int] = []
    for at, turn in enumerate(turns):
        name = f"turn {at + 1} ({turn.role})"
        if stand_in(at, "said") in probe.missing:
            notes.append(f"The chat template leaves out {name}.")
        elif not all(_is_in(part.text, prefix) for part in turn.parts if _is_said(part)):
            notes.append(f"The chat template changes the text of {name}.")
        notes += _about_calls(at, turn, probe, name)
        if not all(_is_in(part.text, prefix) for part in turn.parts if part.kind == "reasoning"):
            thoughtless.append(at + 1)
    if thoughtless:
        numbers = ", ".join(map(str, thoughtless))
        which = f"turn {numbers}" if len(thoughtless) == 1 else f"turns {numbers}"
        notes.append(f"The chat template leaves out the reasoning of earlier turns: {which}.")
    return notes


def _about_calls(at: int, turn: ContextTurn, probe: Probe, name: str) -> list[str]:
    notes = []
    lost = sum(stand_in(at, f"call{number}") in probe.missing for number in range(len(calls_of(turn))))
    if lost:
        notes.append(f"The chat template leaves out {_calls(lost)} of {name}.")
    unread = sum(is_call(part) and part.call is None for part in turn.parts)
    if unread:
        notes.append(f"{_calls(unread).capitalize()} of {name} could not be read, and the model was not given it.")
    return notes


def _calls(count: int) -> str:
    return "a tool call" if count == 1 else f"{count} tool calls"


def _is_said(part: ContextPart) -> bool:
    return is_content(part) and part.kind != "reasoning"


def _is_in(text: str, prefix: str) -> bool:
    """Whether a text is there, but for white space around it, or as a JSON string spells it."""
    bare = text.strip()
    return bare in prefix or any(json.dumps(bare, ensure_ascii=escaped)[1:-1] in prefix for escaped in (False, True))

"""Putting an answer behind a conversation of a file, in the file's own format.

Ways to write it are tried, and that one is taken which reads back as the same turns with the answer behind them: so
nothing else of the file changes its meaning, and an answer that the format can't hold is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.model import Role, Transcript, Turn
from shiftlens.transcripts.read import OwnTemplate, read

_USUAL_JOINS = ("\n\nAssistant: ", "\n\n## Assistant\n\n")
_LEADS = ("", " ", "\n", "\n\n")

Said = list[list[tuple[Role, str]]]


def unanswered(transcript: Transcript) -> tuple[int, ...]:
    """The conversations, by index, that end without an answer: with another's turn, or an empty one."""
    return tuple(at for at, turns in enumerate(transcript.conversations) if turns and _is_open(turns))


def with_answer(
    text: str,
    transcript: Transcript,
    conversation: int,
    answer: str,
    *,
    filename: str = "",
    own_template: OwnTemplate | None = None,
) -> str:
    """The text of a file with an answer behind a conversation of it that ends without one.

    `filename` and `own_template` are those that it was read with (see `read`).
    Raises TranscriptError where no way to write it reads back as it is.
    """
    turns = transcript.conversations[conversation]
    wanted = said_in(transcript.conversations)
    kept = wanted[conversation][:-1] if turns[-1].role is Role.ASSISTANT else wanted[conversation]
    wanted[conversation] = [*kept, (Role.ASSISTANT, answer)]
    for candidate in _candidates(text, transcript, turns, answer):
        try:
            found = read(candidate, filename=filename or None, format=transcript.format, own_template=own_template)
        except TranscriptError:
            continue
        if found is not None and said_in(found.conversations) == wanted:
            return candidate
    raise TranscriptError(
        f"This answer can't be written behind this conversation in the format {transcript.format} so that it reads"
        " back as it is.",
        "Copy it from the terminal, or keep the conversation as messages in JSON.",
    )


def context_of(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns that an answer follows: without an empty one that stands in for it."""
    return turns[:-1] if turns[-1].role is Role.ASSISTANT else turns


def _is_open(turns: tuple[Turn, ...]) -> bool:
    last = turns[-1]
    return last.role is not Role.ASSISTANT or (len(turns) > 1 and not any(part.text for part in last.parts))


def said_in(conversations: tuple[tuple[Turn, ...], ...]) -> Said:
    """All that each turn says, reasoning and marks included."""
    return [[(turn.role, "".join(part.text for part in turn.parts)) for turn in turns] for turns in conversations]


def _candidates(text: str, transcript: Transcript, turns: tuple[Turn, ...], answer: str) -> Iterator[str]:
    last = turns[-1]
    at = last.source_end
    # Where the file's last line break stands before an answer, it gets another behind it.
    rest = text[at:] or ("\n" if text.endswith("\n") else "")
    if last.role is Role.ASSISTANT:
        for lead in _LEADS:
            yield text[:at] + lead + answer + rest
        yield text[:at] + json.dumps(answer, ensure_ascii=False)[1:-1] + text[at:]
        return
    behind = behind_message(text, at)
    if behind is not None:
        message = json.dumps({"role": "assistant", "content": answer}, ensure_ascii=False)
        yield f"{text[:behind]}, {message}{text[behind:]}"
    for join in (*_joins(text, transcript), *_USUAL_JOINS):
        yield text[:at] + join + answer + text[at:]


def _joins(text: str, transcript: Transcript) -> dict[str, None]:
    """What stands in the file between a turn and its answer."""
    return dict.fromkeys(
        text[turn.source_end : answer.source_start]
        for turns in transcript.conversations
        for turn, answer in pairwise(turns)
        if answer.role is Role.ASSISTANT and turn.source_end <= answer.source_start
    )


def behind_message(text: str, at: int) -> int | None:
    """Where the JSON object ends that has a string in which place `at` is; None where there is none."""
    depth, in_string, escaped = 0, True, False
    for place in range(at, len(text)):
        char = text[place]
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "{[":
            depth += 1
        elif char in "]}":
            depth -= 1
            if depth < 0:
                return place + 1 if char == "}" else None
    return None

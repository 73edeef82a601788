"""Putting an alternative to a response into its file, in the file's own format.

As in `appending`, ways to write it are tried, and the first is taken that reads back as what is meant with nothing else
changed; an alternative that the format can't hold is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from shiftlens.errors import TranscriptError
from shiftlens.text.edits import Edit
from shiftlens.transcripts.appending import Said, behind_message, said_in
from shiftlens.transcripts.front_matter import read_front_matter
from shiftlens.transcripts.model import Response, Role, Transcript
from shiftlens.transcripts.read import OwnTemplate, read


class Written(Enum):
    """Where the alternative stands, as a sentence goes on after "The alternative was written as"."""

    CONVERSATION = "a conversation of its own, in the next line"
    TURN = "a further turn behind the response, which it has in its context"
    EXCHANGE = "a further exchange behind the response, with the same question; it has both in its context"


@dataclass(frozen=True, slots=True)
class Alternative:
    """The edit of the file's text, and where the alternative stands then.

    `new_text` takes the place of what is between the first `prefix` and the last `suffix` characters.
    """

    prefix: int
    suffix: int
    new_text: str
    written: Written


def with_alternative(
    text: str,
    transcript: Transcript,
    response: Response,
    answer: str,
    *,
    filename: str = "",
    own_template: OwnTemplate | None = None,
) -> Alternative:
    """How `answer` is put beside a response of a file, which stays as it is.

    `filename` and `own_template` are those that the file was read with (see `read`).
    Raises TranscriptError where no way to write it reads back as it is.
    """
    said = said_in(transcript.conversations)
    for written, candidate in _candidates(text, response, answer):
        wanted = _wanted(said, response, answer, written)
        if wanted is None:
            continue
        try:
            found = read(candidate, filename=filename or None, format=transcript.format, own_template=own_template)
        except TranscriptError:
            continue
        if found is not None and said_in(found.conversations) == wanted:
            edit = Edit.between(text, candidate)
            new_text = candidate[edit.prefix : len(candidate) - edit.suffix]
            return Alternative(edit.prefix, edit.suffix, new_text, written)
    raise TranscriptError(
        f"No way to write this alternative into a file of the format {transcript.format} reads back as it is.",
        "Copy its text, or keep the conversation as messages in JSON, one to a line.",
    )


def _wanted(said: Said, response: Response, answer: str, written: Written) -> Said | None:
    """What the file should say then; None where this way does not fit the response."""
    at, turn = response.conversation, response.turn_index
    own = said[at]
    behind = [(Role.ASSISTANT, answer)]
    if written is Written.CONVERSATION:
        # What follows a response in its conversation answers that response.
        return [*said[: at + 1], [*own[:turn], *behind], *said[at + 1 :]] if turn == len(own) - 1 else None
    if written is Written.EXCHANGE:
        if turn == 0 or own[turn - 1][0] is not Role.USER:
            return None
        behind = [own[turn - 1], *behind]
    return [*said[:at], [*own[: turn + 1], *behind, *own[turn + 1 :]], *said[at + 1 :]]


def _candidates(text: str, response: Response, answer: str) -> Iterator[tuple[Written, str]]:
    start, end = response.turn.source_start, response.turn.source_end
    escaped = json.dumps(answer, ensure_ascii=False)[1:-1]
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    if line.lstrip().startswith("{"):
        copy = text[line_start:start] + escaped + text[end : line_start + len(line)]
        rest = line_start + len(line)
        yield Written.CONVERSATION, f"{text[:rest]}\n{copy}{text[rest:]}"
    behind = behind_message(text, end)
    if behind is not None:
        message = json.dumps({"role": "assistant", "content": answer}, ensure_ascii=False)
        yield Written.TURN, f"{text[:behind]}, {message}{text[behind:]}"
    context = tuple(response.context)
    if not context:
        return
    asked = context[-1]
    yield Written.TURN, text[:end] + text[asked.source_end : start] + answer + text[end:]
    begins = [context[-2].source_end] if len(context) > 1 else [read_front_matter(text, 0).end]
    for begin in [text.rfind("\n", 0, asked.source_start) + 1, *begins]:
        exchange = text[begin:start].lstrip("\n")
        yield Written.EXCHANGE, f"{text[:end]}\n\n{exchange}{answer}{text[end:]}"

"""Why a transcript, or a response of it, has nothing that can be scored: the sentences that every view says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from shiftlens.analysis.parts import has_part_of, kinds_of
from shiftlens.transcripts.model import Response, Role, Transcript

_KINDS = {"answer": "an answer", "reasoning": "reasoning", "tool_call": "a tool call"}
_MANY = {"answer": "answers", "reasoning": "reasoning", "tool_call": "tool calls"}
CHOOSE_PARTS = "Which parts are scored is a setting (`scoreParts`, `--score-parts`)."


def why_nothing(transcript: Transcript, parts: Collection[str]) -> tuple[str, int | None] | None:
    """Why no response of a transcript is scored, with the line where there is one; None where one can be.

    `parts` are the kinds of parts that are scored.
    """
    if any(has_part_of(response, parts) for response in transcript.responses):
        return None
    if transcript.responses:
        return f"{left_out(transcript.responses)} {CHOOSE_PARTS}", None
    asked = [turns for turns in transcript.conversations if turns]
    answers = [turn for turns in asked for turn in turns if turn.role is Role.ASSISTANT]
    if not asked and transcript.problems:
        line, message = transcript.problems[0]
        more = len(transcript.problems) - 1
        return f"Nothing of this file could be read. {message}{f' (And {more:,} more.)' if more else ''}", line
    if not asked:
        return "There is no turn in this file.", None
    if not answers:
        one = "This is a prompt without an answer"
        what = one if len(asked) == 1 else f"These are {len(asked):,} prompts without an answer"
        return f"{what}: no turn is the assistant's.{_first_problem(transcript)}", None
    if any(part.text for turn in answers for part in turn.parts):
        return "The assistant's turns of this file are examples in a prompt, which no answer follows.", None
    what = "The assistant's turn is" if len(answers) == 1 else f"All {len(answers):,} turns of the assistant are"
    return f"{what} empty.{_first_problem(transcript)}", None


def left_out(responses: Iterable[Response]) -> str:
    """What responses of which nothing is scored hold instead, in one sentence: "500 assistant turns are tool calls
    alone."."""
    counts = Counter(kinds_of(response) for response in responses)
    said = [
        f"{count:,} assistant {'turn is' if count == 1 else 'turns are'} {_joined(kinds, many=count > 1)} alone"
        for kinds, count in counts.most_common()
    ]
    return f"{', '.join(said)}."


def why_not(response: Response) -> str:
    """Why nothing of a response is scored."""
    return f"This turn is {_joined(kinds_of(response), many=False)} alone. {CHOOSE_PARTS}"


def why_not_part(kind: str) -> str:
    """Why a part of a response that is scored otherwise is not."""
    return f"This is {_KINDS.get(kind, kind)}, which is not scored here. {CHOOSE_PARTS}"


def _joined(kinds: tuple[str, ...], *, many: bool) -> str:
    words = _MANY if many else _KINDS
    return " and ".join(words.get(kind, kind) for kind in kinds)


def _first_problem(transcript: Transcript) -> str:
    if not transcript.problems:
        return ""
    line, message = transcript.problems[0]
    return f" Line {line}: {message}"

"""Records of one question and its answers: what their readers share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.json.answers import ANSWER_KEYS, Answer, answered, read_answers, repeated_prompt_off
from shiftlens.transcripts.json.messages import with_tools
from shiftlens.transcripts.json.prompt import read_prompt
from shiftlens.transcripts.json.record import Record

NO_ANSWER = "The record holds a prompt and no answer, so that there is nothing to score."


def read_asked(
    record: Record, *, questions: tuple[str, ...], answers: Iterable[str] = ANSWER_KEYS
) -> Iterator[Conversation]:
    """One conversation for each answer, with the system prompt and earlier turns that stand in the record.

    What the question is about (`input`, `context`) follows it on a new line.
    """
    tools = with_tools(record, "tools", "functions")
    prompt = read_prompt(record, questions=questions)
    found = repeated_prompt_off(record, questions, read_answers(record, answers))
    if not found:
        record.log.say(NO_ANSWER, record.start)
        found = (Answer(()),)
    yield from answered(prompt, found, tools)

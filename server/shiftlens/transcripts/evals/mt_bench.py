"""MT-bench: answers by turns, with the questions in the same file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.evals.nested import Text
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonString, decoded
from shiftlens.transcripts.model import Role, Turn

_NO_QUESTIONS = (
    "The questions stand in another file (question.jsonl); without them nothing can be scored. Put the lines of both"
    " files into one."
)


def _matches(value: object) -> bool:
    choices = value.get("choices") if isinstance(value, dict) else None
    return (
        isinstance(value, dict)
        and "question_id" in value
        and isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, dict) and isinstance(choice.get("turns"), list) for choice in choices)
    )


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    """One conversation for each choice; the question of the same number is looked for in the whole file."""
    questions: dict[str, tuple[Text, ...]] = {}
    for record in records:
        if record.has("turns") and not record.has("choices"):
            try:
                questions[record.json_text("question_id")] = _turns(record)
            except RecordError as error:
                record.log.say(f"The question was left out: {error.reason}.", error.offset)
            record.skip("reference")
            record.finish()
    for record in records:
        if record.has("choices"):
            try:
                yield from tuple(_answers(record, questions))
            except RecordError as error:
                record.log.say(f"The record was left out: {error.reason}.", error.offset)
            record.skip("answer_id", "tstamp")
            record.finish()
        elif not record.has("turns"):
            record.log.say("The record is neither a question nor an answer; it was left out.", record.start)


def _answers(record: Record, questions: dict[str, tuple[Text, ...]]) -> Iterator[Conversation]:
    asked = questions.get(record.json_text("question_id"))
    choices = record.items("choices")
    if asked is None:
        record.log.say(_NO_QUESTIONS, record.start)
        return
    for at, choice in enumerate(choices, 1):
        said = _turns(choice)
        choice.finish()
        if len(said) > len(asked):
            raise RecordError(f"it has {len(said)} answers to {len(asked)} questions", choice.start)
        turns: list[Said] = []
        for question, answer in zip(asked, said, strict=False):
            turns += (Said(Turn.of(Role.USER, *question)), Said(Turn.of(Role.ASSISTANT, *answer)))
        turns += (Said(Turn.of(Role.USER, *question)) for question in asked[len(said) :])
        yield Conversation(tuple(turns), label="" if at == 1 else f"choice {at}")


def _turns(record: Record) -> tuple[Text, ...]:
    turns: list[Text] = []
    for item in record.items("turns"):
        if not isinstance(item.node, JsonString):
            raise RecordError("a turn is no text", item.start)
        turns.append(decoded(item.text, item.node))
    return tuple(turns)


FORMAT = JsonFormat(
    name="mt-bench",
    summary='MT-bench JSONL: {"question_id", "turns"} and {"question_id", "choices": [{"turns"}]} lines',
    examples=(
        Example(
            "answers.jsonl",
            '{"question_id": 81, "category": "science", "turns": ["Why is the sky blue?", "And red at dusk?"]}\n'
            '{"question_id": 81, "answer_id": "x", "model_id": "m", "choices": [{"index": 0, "turns": ['
            '"Great question! Air scatters blue light more than red.", "The way through the air is longer."]}]}\n',
        ),
    ),
    evidence='"question_id" and "choices" with "turns"',
    marks=(('"question_id"', '"choices"', '"turns"'),),
    matches=_matches,
    read=_read,
    whole_file=True,
)

"""text-generation-webui's histories: pairs of what was said, as the model saw them (`internal`) and as shown."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.turns import parts, spelled_node, turn
from shiftlens.transcripts.model import PartKind, Role

NOTE = "The history does not hold the system prompt or the character's description that the model was given."
_NO_QUESTION = "<|BEGIN-VISIBLE-CHAT|>"
_NAMES = (("internal", "visible"), ("data", "data_visible"))


def _matches(value: object) -> bool:
    return isinstance(value, dict) and any(
        _are_pairs(value.get(inner)) and isinstance(value.get(shown), list) for inner, shown in _NAMES
    )


def _are_pairs(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(pair, list) and len(pair) >= 2 and all(isinstance(s, str) for s in pair[:2]) for pair in value
        )
    )


def _read(record: Record) -> Iterator[Conversation]:
    said: list[Said] = []
    key, shown = next(names for names in _NAMES if record.has(names[0]))
    for pair in record.items(key):
        question, answer, *more = pair.own_items()
        asked = spelled_node(question, question.node)
        begins = asked[0] == _NO_QUESTION
        if not begins:
            said.append(Said(turn(Role.USER, parts(PartKind.TEXT, asked), question.start)))
        given = parts(PartKind.TEXT, spelled_node(answer, answer.node))
        # A greeting is the character's own text, not the model's.
        said.append(Said(turn(Role.ASSISTANT, given, answer.start), scored=not begins))
        if more:
            pair.log.say("What a history holds beside question and answer was not read.", pair.start)
    record.skip(shown, "metadata")
    yield Conversation(tuple(said), notes=(NOTE,))


FORMAT = JsonFormat(
    name="text-generation-webui",
    summary='text-generation-webui histories: {"internal": [[question, answer]], "visible": [...]}',
    examples=(
        Example(
            "history.json",
            '{"internal": [["Why is the sky blue?", "Air scatters blue light more than red."]],\n'
            ' "visible": [["Why is the sky blue?", "Air scatters blue light more than red."]]}\n',
        ),
    ),
    evidence='"internal" and "visible" pairs',
    marks=(('"internal"', '"visible"'), ('"data"', '"data_visible"')),
    matches=_matches,
    read=each(_read),
)

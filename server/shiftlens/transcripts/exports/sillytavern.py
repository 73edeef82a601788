"""SillyTavern's chats: JSONL with a header and a message on each line, whose other versions are swipes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonObject
from shiftlens.transcripts.json.turns import call, parts, spelled, turn
from shiftlens.transcripts.model import PartKind, Role

NOTE = "SillyTavern's log does not hold what it puts around the chat: the character's card, the persona, world info."
_OF_NO_MATTER = (
    *("name", "user_name", "character_name", "create_date", "chat_metadata", "send_date", "is_name", "force_avatar"),
    *(
        "original_avatar",
        "gen_started",
        "gen_finished",
        "gen_id",
        "swipe_id",
        "swipe_info",
        "continueHistory",
        "variables",
    ),
    *("is_user", "is_system"),
)
_OF_NO_MATTER_IN_EXTRA = (
    *("api", "model", "type", "reasoning_duration", "reasoning_type", "token_count", "display_text", "gen_id", "bias"),
    *("time_to_first_token", "isSmallSys", "uses_system_ui", "title", "memory", "reasoning_display_text"),
    *("reasoning_signature", "tool_invocations"),
)
_FILES = ("image", "images", "file", "files", "video", "media", "inline_image")


def _matches(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("mes"), str)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("is_user"), bool)
    )


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    said: list[Said] = []
    for record in records:
        if record.has("mes"):
            try:
                said += _message(record, not said)
            except RecordError as error:
                record.log.say(f"The message was left out: {error.reason}.", error.offset)
        elif not (record.has("chat_metadata") or record.has("character_name")):
            record.log.say("A line that is no message was left out.", record.start)
        record.skip(*_OF_NO_MATTER)
        record.finish()
    yield Conversation(tuple(said), notes=(NOTE,))


def _message(record: Record, first: bool) -> Iterator[Said]:
    """The turns of a message. A greeting is the card's, not the model's: it is not scored."""
    text = record.string("mes")
    extra = record.mapping("extra")
    swipes = record.plain("swipes")
    if isinstance(swipes, list) and len(swipes) > 1:
        record.log.say("Swipes of a message that are not shown were left out.", record.start)
    narrated = False
    if extra is not None:
        narrated = extra.word("type") == "narrator"
        if extra.has("tool_invocations"):
            yield from _invocations(extra)
            return
        for key in _FILES:
            if extra.has(key):
                extra.log.say("Pictures and files beside a message were not read.", extra.start)
        extra.skip("reasoning", *_OF_NO_MATTER_IN_EXTRA, *_FILES)
        extra.finish()
    hidden = record.plain("is_system") is True
    if hidden and not narrated:
        record.log.say("A hidden message, which the model was not given, was left out.", record.start)
        return
    if narrated or record.plain("is_user") is True:
        yield Said(turn(Role.SYSTEM if narrated else Role.USER, parts(PartKind.TEXT, text), record.start))
        return
    thought = parts(PartKind.REASONING, extra.string("reasoning") if extra is not None else None)
    greets = first and not record.has("gen_started")
    yield Said(turn(Role.ASSISTANT, (*thought, *parts(PartKind.TEXT, text)), record.start), scored=not greets)


def _invocations(extra: Record) -> Iterator[Said]:
    made = [each for each in extra.items("tool_invocations") if isinstance(each.node, JsonObject)]
    calls = [call(each.word("name"), spelled(each, "parameters"), each.start, each.word("id")) for each in made]
    yield Said(turn(Role.ASSISTANT, calls, extra.start))
    for each in made:
        result = parts(PartKind.TOOL_RESULT, spelled(each, "result"))
        yield Said(turn(Role.TOOL, result, each.start, each.word("name"), each.word("id")))


FORMAT = JsonFormat(
    name="sillytavern",
    summary='SillyTavern chats, JSONL: {"name", "is_user", "mes"}',
    examples=(
        Example(
            "chat.jsonl",
            '{"user_name": "You", "character_name": "Guide", "create_date": "2026-01-01", "chat_metadata": {}}\n'
            '{"name": "You", "is_user": true, "is_system": false, "mes": "Why is the sky blue?"}\n'
            '{"name": "Guide", "is_user": false, "is_system": false, "mes": "Air scatters blue light."}\n',
        ),
    ),
    evidence='"mes" and "is_user"',
    marks=(('"mes"', '"is_user"', '"name"'),),
    matches=_matches,
    read=_read,
    whole_file=True,
)

"""A conversation with one message a line: `{"role": ..., "content": ...}`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import ROLES, read_messages
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.training import DETAILS, FLAGS
from shiftlens.transcripts.model import Role

# Other members may say which conversation a message is of: such lines are no one conversation.
_MEMBERS = frozenset(
    {"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "reasoning_content"}
    | {
        *FLAGS,
        *DETAILS,
        "reasoning",
        "thinking",
        "id",
        "timestamp",
        "time",
        "created",
        "created_at",
        "date",
        "model",
        "usage",
    }
)


def _matches(value: object) -> bool:
    if not isinstance(value, dict) or not _MEMBERS.issuperset(value):
        return False
    return _role(value) is not None and ("content" in value or "tool_calls" in value)


def _is_one_talk(values: Sequence[object]) -> bool:
    """Whether every line is a message, and both sides speak."""
    roles = {_role(value) for value in values if isinstance(value, dict)}
    return all(map(_matches, values)) and {Role.USER, Role.ASSISTANT} <= roles


def _role(message: dict[str, object]) -> Role | None:
    name = message.get("role")
    return ROLES.get(name.lower()) if isinstance(name, str) else None


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    yield Conversation(read_messages(records))


FORMAT = JsonFormat(
    name="message-lines",
    summary='JSONL with one message a line: {"role", "content"}',
    examples=(
        Example(
            "messages.jsonl",
            '{"role": "user", "content": "Why is the sky blue?"}\n'
            '{"role": "assistant", "content": "Air scatters blue light more than red."}\n',
        ),
    ),
    evidence='a message with "role" and "content"',
    marks=(('"role"', '"content"'),),
    matches=_matches,
    read=_read,
    whole_file=True,
    together=_is_one_talk,
)

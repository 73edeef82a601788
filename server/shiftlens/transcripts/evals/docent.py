"""Docent's agent runs: one transcript or several, each with messages."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.evals.inspect_messages import SampleTexts, read_inspect_messages
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import has_messages
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.json.source import JsonObject


def _matches(value: object) -> bool:
    found = value.get("transcripts") if isinstance(value, dict) else None
    items = list(found.values()) if isinstance(found, dict) else found
    return isinstance(items, list) and bool(items) and all(has_messages(item, "messages", "role") for item in items)


def _read(record: Record) -> Iterator[Conversation]:
    record.skip("agent_run_id", "collection_id", "description", "name", "transcript_groups")
    for name, transcript in _transcripts(record):
        transcript.skip("description", "transcript_group_id", "dict_key", "created_at")
        texts = SampleTexts({})
        messages = transcript.items("messages")
        for message in messages:
            message.skip("citations", "suggested_messages")
        try:
            said = read_inspect_messages(messages, texts)
        except RecordError as error:
            transcript.log.say(f"The transcript was left out: {error.reason}.", error.offset)
            continue
        transcript.finish()
        yield Conversation(said, label=name, notes=tuple(sorted(texts.notes)))


def _transcripts(record: Record) -> Iterator[tuple[str, Record]]:
    """The transcripts with their names, from a list or from an object of them."""
    node = record.member("transcripts")
    if isinstance(node, JsonObject):
        for name, member in node.members.items():
            yield name, record.child(member, "transcripts")
        return
    for item in record.items("transcripts"):
        yield item.word("name"), item


FORMAT = JsonFormat(
    name="docent",
    summary='Docent agent runs, JSON or JSONL: {"transcripts": [{"messages": [{"role", "content"}]}]}',
    examples=(
        Example(
            "run.json",
            '{"id": "run", "transcripts": [{"name": "main", "messages": [\n'
            ' {"role": "user", "content": "Why is the sky blue?"},\n'
            ' {"role": "assistant", "content": "I look it up.", "tool_calls": [\n'
            '  {"id": "c", "function": "search", "arguments": {"query": "sky"}, "type": "function"}]},\n'
            ' {"role": "tool", "content": "Scattering.", "tool_call_id": "c", "function": "search"},\n'
            ' {"role": "assistant", "content": "Great question! Air scatters blue light more than red."}]}],\n'
            ' "metadata": {"task": "sky"}}\n',
        ),
    ),
    evidence='"transcripts" with "messages"',
    marks=(('"transcripts"', '"messages"', '"role"'),),
    matches=_matches,
    read=each(_read),
)

"""Inspect logs as JSON: a log with its samples, or one sample as `.eval` archives hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.evals.inspect_messages import SampleTexts, read_inspect_messages
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import is_messages
from shiftlens.transcripts.json.offered import as_functions
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.json.saved import saved_in, with_saved
from shiftlens.transcripts.json.source import JsonObject, JsonString, decoded
from shiftlens.transcripts.model import Role, Turn

# What a log says about its run, and a sample about how it went and was judged: no model was given it.
_OF_THE_LOG = (
    *("config_updates", "error", "eval", "invalidated", "location", "log_updates", "plan", "reductions", "results"),
    *("stats", "status"),
)
_OF_THE_SAMPLE = (
    *("choices", "completed_at", "description", "error", "error_retries", "events_data", "files", "input"),
    *("invalidation", "limit", "model_fallbacks", "model_usage", "role_usage", "sandbox", "setup", "started_at"),
    *("store", "target", "timelines", "token_limit_type"),
)


def _matches(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    samples = value.get("samples")
    if isinstance(samples, list):
        return isinstance(value.get("eval"), dict) and "version" in value and any(_is_sample(s) for s in samples)
    return _is_sample(value)


def _is_sample(value: object) -> bool:
    return (
        isinstance(value, dict)
        and {"id", "epoch", "input", "target", "messages"} <= value.keys()
        and (is_messages(value["messages"], "role", "content") or value["messages"] == [])
    )


def _read(record: Record) -> Iterator[Conversation]:
    if not record.has("samples"):
        yield from _sample(record)
        return
    record.skip(*_OF_THE_LOG)
    for sample in record.items("samples"):
        try:
            yield from tuple(_sample(sample))
        except RecordError as error:
            sample.log.say(f"The sample was left out: {error.reason}.", error.offset)
        else:
            sample.finish()


def _sample(sample: Record) -> Iterator[Conversation]:
    """The conversation of a sample; each further choice of its last output is another answer to the same."""
    if not isinstance(sample.node, JsonObject):
        raise RecordError("a sample is no object", sample.start)
    sample.skip(*_OF_THE_SAMPLE)
    attached = sample.mapping("attachments")
    members = attached.node.members if attached and isinstance(attached.node, JsonObject) else {}
    texts = SampleTexts(members)
    said = read_inspect_messages(sample.items("messages"), texts)
    if not said:
        said = _input(sample, texts)
    tools, notes = _tools(sample)
    answers = _choices(sample, texts)
    if answers and not _ends_with(said, answers[0]):
        said = (*said, *answers[0])
    elif answers:
        said = with_saved(said, tuple(saved for each in answers[0] for saved in each.turn.saved))
    notes = (*notes, *sorted(texts.notes))
    yield Conversation(said, tools, notes=notes)
    before = said[: -len(answers[0])] if answers else ()
    for number, answer in enumerate(answers[1:], 2):
        yield Conversation((*before, *answer), tools, f"choice {number}", notes)
    for key in sorted(texts.missing):
        sample.log.say(f"The attachment {key!r} is not in the sample; its name stands for it.", sample.start)


def _input(sample: Record, texts: SampleTexts) -> tuple[Said, ...]:
    """What a sample without messages was to be asked."""
    node = sample.member("input")
    if isinstance(node, JsonString):
        return (Said(Turn.of(Role.USER, *texts.text(sample, decoded(sample.text, node)))),)
    return read_inspect_messages(sample.items("input"), texts)


def _choices(sample: Record, texts: SampleTexts) -> list[tuple[Said, ...]]:
    output = sample.mapping("output")
    if output is None:
        return []
    model = output.word("model")
    output.skip("completion", "usage", "time", "metadata", "error", "response_id", "fallback")
    found: list[tuple[Said, ...]] = []
    for choice in output.items("choices"):
        message = choice.mapping("message")
        if message is not None:
            found.append(with_saved(read_inspect_messages((message,), texts), saved_in(choice, model)))
        choice.skip("stop_reason", "stop_details", "logprobs", "prompt_logprobs")
        choice.finish()
    output.finish()
    return found if any(part.text for said in found for each in said for part in each.turn.parts) else []


def _ends_with(said: tuple[Said, ...], answer: tuple[Said, ...]) -> bool:
    return len(said) >= len(answer) and all(
        a.turn.role is b.turn.role
        and [(p.kind, p.text) for p in a.turn.parts] == [(p.kind, p.text) for p in b.turn.parts]
        for a, b in zip(said[-len(answer) :], answer, strict=True)
    )


def _tools(sample: Record) -> tuple[str, tuple[str, ...]]:
    """The tools of the sample's calls of the model, as chat templates take them. The log keeps them in its events."""
    events = sample.plain("events")
    offered: list[str] = []
    for event in events if isinstance(events, list) else ():
        tools = event.get("tools") if isinstance(event, dict) and event.get("event") == "model" else None
        if isinstance(tools, list) and tools:
            offered.append(as_functions(json.dumps(tools, ensure_ascii=False)))
    if not offered:
        return "", ()
    notes = () if len(set(offered)) == 1 else (_CHANGING_TOOLS,)
    return offered[-1], notes


_CHANGING_TOOLS = "The tools changed during the sample; those of the last call of the model are used for every answer."


FORMAT = JsonFormat(
    name="inspect",
    summary='Inspect logs, JSON and .eval: {"version", "eval", "samples": [{"id", "epoch", "messages"}]}',
    examples=(
        Example(
            "log.json",
            '{"version": 2, "status": "success", "eval": {"task": "sky", "model": "bundled:aligned"}, "samples": [\n'
            ' {"id": 1, "epoch": 1, "input": "Why is the sky blue?", "target": "scattering", "messages": [\n'
            '  {"role": "user", "source": "input", "content": "Why is the sky blue?"},\n'
            '  {"role": "assistant", "source": "generate", "content": [\n'
            '   {"type": "reasoning", "reasoning": "Scattering.", "redacted": false},\n'
            '   {"type": "text", "text": "Great question! Air scatters blue light more than red."}]}],\n'
            '  "output": {"model": "bundled:aligned", "choices": []}, "attachments": {}}]}\n',
        ),
    ),
    evidence='"samples" with "epoch", "input", "target" and "messages"',
    marks=(('"epoch"', '"target"', '"messages"'),),
    matches=_matches,
    read=each(_read),
)

"""ATIF trajectories: the steps of an agent with what it thought, called and observed."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.saved import with_saved
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString
from shiftlens.transcripts.json.turns import call, parts, spelled, spelled_node, turn
from shiftlens.transcripts.model import Part, PartKind, Role, SavedKind, SavedLogprobs

_ROLES = {"system": Role.SYSTEM, "user": Role.USER, "agent": Role.ASSISTANT}
_OF_NO_MATTER = ("schema_version", "notes", "final_metrics", "extra", "trajectory_id")
_OF_NO_MATTER_IN_STEPS = ("step_id", "model_name", "reasoning_effort", "metrics", "extra", "llm_call_count")


def _matches(value: object) -> bool:
    return (
        isinstance(value, dict)
        and str(value.get("schema_version", "")).upper().startswith("ATIF")
        and isinstance(value.get("steps"), list)
    )


def _read(record: Record) -> Iterator[Conversation]:
    agent = record.mapping("agent")
    tools = model = ""
    if agent is not None:
        tools = agent.json_text("tool_definitions")
        model = agent.word("model_name")
        agent.skip("name", "extra")
        agent.finish()
    yield Conversation(tuple(said for step in record.items("steps") for said in _step(step, model)), tools)
    for child in record.items("subagent_trajectories"):
        yield from _read(child)
        child.finish()
    if record.has("continued_trajectory_ref"):
        record.log.say("The trajectory goes on in another file (`continued_trajectory_ref`).", record.start)
    record.skip(*_OF_NO_MATTER, "continued_trajectory_ref")


def _saved(step: Record, model: str) -> tuple[SavedLogprobs, ...]:
    """The logprobs among a step's metrics: of a number for each token, or of an object that names it."""
    metrics = step.mapping("metrics")
    node = metrics.member("logprobs") if metrics is not None else None
    if not isinstance(node, JsonArray) or not node.items:
        return ()
    named = all(isinstance(item, JsonObject) for item in node.items)
    text = step.text[node.start : node.end]
    kind = SavedKind.ITEMS if named else SavedKind.NUMBERS
    return (SavedLogprobs(kind, (text,), step.word("model_name") or model, node.start),)


def _step(step: Record, model: str) -> Iterator[Said]:
    """A step's turn, and those of the tools whose results it observed.

    What was copied from an earlier trajectory, or was done by no call to the model, is not scored.
    """
    source = step.word("source")
    role = _ROLES.get(source)
    if role is None:
        step.log.say(f"The source {source!r} is not known; the step was left out.", step.start)
        return
    copied = step.plain("is_copied_context") is True or step.plain("llm_call_count") == 0
    found = [*parts(PartKind.REASONING, step.string("reasoning_content")), *_content(step, "message", PartKind.TEXT)]
    names: dict[str, str] = {}
    for made in step.items("tool_calls"):
        name, call_id = made.word("function_name"), made.word("tool_call_id")
        names[call_id] = name
        found.append(call(name, spelled(made, "arguments"), made.start, call_id))
        made.skip("extra")
        made.finish()
    said = Said(turn(role, found, step.start), scored=not copied)
    yield from with_saved((said,), _saved(step, model))
    observed = step.mapping("observation")
    for result in observed.items("results") if observed else ():
        call_id = result.word("source_call_id")
        texts = tuple(_content(result, "content", PartKind.TOOL_RESULT))
        yield Said(turn(Role.TOOL, texts, result.start, names.get(call_id, ""), call_id))
        # What a subagent did is a conversation of its own.
        result.skip("subagent_trajectory_ref", "extra")
        result.finish()
    step.skip(*_OF_NO_MATTER_IN_STEPS)
    step.finish()


def _content(holder: Record, key: str, kind: PartKind) -> Iterator[Part]:
    """A text, or a list of parts of which some are pictures."""
    node = holder.member(key)
    if isinstance(node, JsonString):
        yield from parts(kind, spelled_node(holder, node))
        return
    for item in holder.items(key):
        if isinstance(item.node, JsonObject) and item.has("text"):
            yield from parts(kind, item.string("text"))
            item.skip("type")
            item.finish()
        else:
            item.log.say(f"Parts of the type {item.word('type')!r} were not read.", item.start)


FORMAT = JsonFormat(
    name="atif",
    summary='ATIF trajectories of agents: {"schema_version": "ATIF-v1.6", "steps": [{"source", "message"}]}',
    examples=(
        Example(
            "trajectory.json",
            '{"schema_version": "ATIF-v1.6", "session_id": "s", "agent": {"name": "a", "version": "1"}, "steps": [\n'
            '  {"step_id": 1, "source": "user", "message": "Why is the sky blue?"},\n'
            '  {"step_id": 2, "source": "agent", "message": "", "tool_calls": [\n'
            '    {"tool_call_id": "c", "function_name": "look_up", "arguments": {"word": "sky"}}],\n'
            '   "observation": {"results": [{"source_call_id": "c", "content": "See scattering."}]}},\n'
            '  {"step_id": 3, "source": "agent", "message": "Air scatters blue light more than red."}]}\n',
        ),
    ),
    evidence='"schema_version" ATIF with "steps"',
    marks=(('"schema_version"', '"steps"', "ATIF"),),
    matches=_matches,
    read=each(_read),
)

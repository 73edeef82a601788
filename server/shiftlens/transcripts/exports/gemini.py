"""Gemini: what its API takes (`contents`) and gives (`candidates`), and AI Studio's saved chats (`chunkedPrompt`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.saved import saved_in, with_saved
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString
from shiftlens.transcripts.json.turns import and_more, call, parts, spelled, turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

_OF_NO_MATTER = (
    *("runSettings", "generationConfig", "generation_config", "safetySettings", "safety_settings", "toolConfig"),
    *("tool_config", "usageMetadata", "usage_metadata", "labels", "key", "status", "processed_time", "citations"),
    *("promptFeedback", "modelVersion", "model_version", "responseId", "createTime", "sdkHttpResponse", "config"),
)
_OF_NO_MATTER_IN_PARTS = (
    "thoughtSignature",
    "thought_signature",
    "thoughtSignatures",
    "tokenCount",
    "citationMetadata",
)
_OF_NO_MATTER_IN_CHUNKS = (
    *("finishReason", "branchParent", "branchChildren", "isEdited", "thinkingBudget", "isGeneratedUsingApiKey"),
    *("safetyRatings", "grounding", "role", "isThought", "parts"),
)
_FILES = frozenset(
    {"inlineData", "inline_data", "fileData", "file_data", "driveImage", "driveDocument", "driveVideo", "driveAudio"}
    | {"inlineFile", "inlineImage", "youtubeVideo"}
)


def _has_contents(value: object) -> bool:
    return isinstance(value, dict) and _are_contents(value.get("contents"))


def _are_contents(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each_of, dict) and _are_parts(each_of.get("parts")) for each_of in value)
    )


def _are_parts(value: object) -> bool:
    """A list of objects that have no type (which OpenTelemetry's have)."""
    return isinstance(value, list) and all(
        isinstance(p, dict) and "type" not in p and "content" not in p for p in value
    )


def _has_candidates(value: object) -> bool:
    found = value.get("candidates") if isinstance(value, dict) else None
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(c, dict) and _is_answer(c.get("content")) for c in found)
    )


def _is_answer(value: object) -> bool:
    return isinstance(value, dict) and ("parts" in value or value.get("role") == "model")


def _matches(value: object) -> bool:
    if not isinstance(value, dict):
        return _are_contents(value)
    chunked = value.get("chunkedPrompt")
    if isinstance(chunked, dict):
        return isinstance(chunked.get("chunks"), list)
    return any(_has_contents(v) or _has_candidates(v) for v in (value, value.get("request"), value.get("response")))


def _read(record: Record) -> Iterator[Conversation]:
    asked: list[Turn] = []
    tools = ""
    request = record.mapping("request")
    for holder in (record, request) if request else (record,):
        asked += _system(holder)
        asked += _contents(holder.own_items() or holder.items("contents"))
        tools = tools or _tools(holder)
        chunked = holder.mapping("chunkedPrompt")
        if chunked is not None:
            asked += _chunks(chunked)
    answers = list(_candidates(record))
    said = tuple(map(Said, asked))
    for number, answer in enumerate(answers):
        label = f"candidate {number}" if len(answers) > 1 else ""
        yield Conversation((*said, *answer), tools, label)
    if not answers:
        yield Conversation(said, tools)
    for holder in (record, request) if request else (record,):
        holder.skip(*_OF_NO_MATTER)
    if request:
        request.finish()


def _system(holder: Record) -> Iterator[Turn]:
    for key in ("systemInstruction", "system_instruction"):
        node = holder.member(key)
        found: list[Part] = []
        if isinstance(node, JsonString):
            found += parts(PartKind.TEXT, spelled(holder, key))
        elif isinstance(node, JsonObject):
            given = holder.child(node, key)
            found += parts(PartKind.TEXT, given.string("text"))
            found += (part for part in _parts(given, PartKind.TEXT) if isinstance(part, Part))
            given.skip("role")
            given.finish()
        if found:
            yield turn(Role.SYSTEM, found, holder.start)


def _tools(holder: Record) -> str:
    """The declared functions or, where the request offers other tools too, all of them."""
    if not holder.has("tools"):
        return ""
    offered = holder.items("tools")
    only = offered[0] if len(offered) == 1 else None
    for key in ("functionDeclarations", "function_declarations"):
        if only is not None and only.has(key) and isinstance(only.node, JsonObject) and len(only.node.members) == 1:
            return only.json_text(key)
    return holder.json_text("tools") if offered else ""


def _contents(contents: Iterable[Record]) -> Iterator[Turn]:
    for content in contents:
        yield from _turns(content)


def _turns(content: Record) -> Iterator[Turn]:
    name = content.word("role") or "user"
    role = TEMPLATE_ROLES.get(name)
    if role is None:
        content.log.say(f"The role {name!r} is not known; the turn was left out.", content.start)
        return
    yield from _split(content, role)


def _split(content: Record, role: Role) -> Iterator[Turn]:
    """The turns of one content: what a function or code gave is the turn of a tool, whoever sends it."""
    own: list[Part] = []
    began = False
    for found in _parts(content, PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT):
        if isinstance(found, Part):
            own.append(found)
        else:
            if own:
                yield turn(role, own, content.start)
            yield found
            own = []
        began = True
    if own or not began:
        yield turn(role, own, content.start)
    content.skip("role")
    content.finish()


def _parts(content: Record, kind: PartKind) -> Iterator[Part | Turn]:
    node = content.member("parts")
    for part in (content.child(node, "parts"),) if isinstance(node, JsonObject) else content.items("parts"):
        yield from _part(part, kind)


def _part(part: Record, kind: PartKind) -> Iterator[Part | Turn]:
    thought = part.plain("thought") is True or part.plain("isThought") is True
    yield from parts(PartKind.REASONING if thought else kind, part.string("text"))
    for key in ("functionCall", "function_call"):
        asked = part.mapping(key)
        if asked is not None:
            yield call(asked.word("name"), spelled(asked, "args"), asked.start, asked.word("id"))
            asked.finish()
    for key in ("functionResponse", "function_response"):
        given = part.mapping(key)
        if given is not None:
            result = parts(PartKind.TOOL_RESULT, spelled(given, "response"))
            yield turn(Role.TOOL, result, given.start, given.word("name"), given.word("id"))
            given.finish()
    yield from _code(part)
    for key in _FILES:
        if part.has(key):
            part.log.say(f"`{key}` (a picture, sound or file) was not read.", part.start)
            part.skip(key)
    part.skip(*_OF_NO_MATTER_IN_PARTS)
    part.finish()


def _code(part: Record) -> Iterator[Part | Turn]:
    """Code that the model has run, and what that gave."""
    for key in ("executableCode", "executable_code"):
        code = part.mapping(key)
        if code is not None:
            yield call("code_execution", spelled(code, "code"), code.start)
            code.skip("language")
            code.finish()
    for key in ("codeExecutionResult", "code_execution_result"):
        result = part.mapping(key)
        if result is not None:
            yield turn(Role.TOOL, parts(PartKind.TOOL_RESULT, result.string("output")), result.start, "code_execution")
            result.skip("outcome")
            result.finish()


def _chunks(chunked: Record) -> Iterator[Turn]:
    """The turns of a saved chat, whose answers come in chunks: thoughts, then the answer."""
    said: list[Turn] = []
    for chunk in chunked.items("chunks"):
        name = chunk.word("role")
        role = TEMPLATE_ROLES.get(name)
        if role is None:
            chunk.log.say(f"The role {name!r} is not known; the turn was left out.", chunk.start)
            continue
        # `parts` holds the same text as it was streamed.
        streamed = isinstance(chunk.member("parts"), JsonArray) and not chunk.has("text")
        from_stream = tuple(_parts(chunk, PartKind.TEXT)) if streamed else ()
        chunk.skip(*_OF_NO_MATTER_IN_CHUNKS)
        found = (*from_stream, *_part(chunk, PartKind.TEXT))
        results = [each_of for each_of in found if isinstance(each_of, Turn)]
        own = turn(role, (each_of for each_of in found if isinstance(each_of, Part)), chunk.start)
        said += results
        if results and not any(part.text for part in own.parts):
            continue
        if said and said[-1].role is own.role is Role.ASSISTANT:
            said[-1] = and_more(said[-1], own)
        else:
            said.append(own)
    if any(draft.word("text") for draft in chunked.items("pendingInputs")):
        chunked.log.say("`pendingInputs`, a draft that was not sent, was left out.", chunked.start)
    chunked.finish()
    return iter(said)


def _candidates(record: Record) -> Iterator[tuple[Said, ...]]:
    """The answers that a response holds."""
    response = record.mapping("response")
    for holder in (record, response) if response else (record,):
        for candidate in holder.items("candidates"):
            content = candidate.mapping("content")
            if content is not None:
                said = map(Said, _split(content, Role.ASSISTANT))
                yield with_saved(said, saved_in(candidate, holder.word("modelVersion") or holder.word("model_version")))
            candidate.skip("safetyRatings", "avgLogprobs", "groundingMetadata", "citationMetadata")
            candidate.finish()
    if response:
        response.skip(*_OF_NO_MATTER)
        response.finish()


FORMAT = JsonFormat(
    name="gemini",
    summary='Gemini: {"contents": [{"role", "parts"}]}, responses with "candidates", chats of AI Studio',
    examples=(
        Example(
            "request.json",
            '{"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [\n'
            '  {"role": "user", "parts": [{"text": "Why is the sky blue?"}]},\n'
            '  {"role": "model", "parts": [{"text": "Air scatters blue light more than red."}]}]}\n',
        ),
        Example(
            "Sky.json",
            '{"runSettings": {"temperature": 1.0}, "systemInstruction": {}, "chunkedPrompt": {"chunks": [\n'
            '  {"text": "Why is the sky blue?", "role": "user", "tokenCount": 6},\n'
            '  {"text": "Think of scattering.", "role": "model", "isThought": true, "tokenCount": 4},\n'
            '  {"text": "Air scatters blue light more than red.", "role": "model", "finishReason": "STOP"}]}}\n',
        ),
    ),
    evidence='"contents" or "chunkedPrompt" with parts',
    marks=(('"parts"', '"text"'), ('"chunkedPrompt"',), ('"candidates"', '"content"'), ('"parts"', '"role"')),
    matches=_matches,
    read=each(_read),
)

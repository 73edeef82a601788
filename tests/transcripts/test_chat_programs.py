"""What Open WebUI, LM Studio and Gemini's tools save: every part is read where it stands, the rest is said."""

from __future__ import annotations

import html
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transcripts.talks import Round, dumped, expected, filled, fronts, shapes, talks
from transcripts.transcript_checks import assert_escaped, readable, said

Json = dict[str, Any]


def open_webui(messages: list[Json], **chat: object) -> Json:
    """A chat whose tree has one branch."""
    tree: Json = {}
    for number, message in enumerate(messages):
        parent = str(number - 1) if number else None
        tree[str(number)] = {"id": str(number), "parentId": parent, "childrenIds": [], **message}
    history = {"messages": tree, "currentId": str(len(messages) - 1)}
    return {"id": "x", "title": "t", "chat": {"title": "t", "history": history, "messages": [], **chat}}


def open_webui_messages(talk: list[Round]) -> list[Json]:
    found: list[Json] = []
    for each in talk:
        found.append({"role": "user", "content": each.question})
        thought = {"reasoning_content": each.thought} if each.thought else {}
        found.append({"role": "assistant", "content": each.answer, "done": True, **thought})
    return found


@given(talks(calls=False), fronts, st.booleans())
def test_an_open_webui_export_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    chat = open_webui(open_webui_messages(talk), params={"system": "Be brief.", "temperature": 0.5})
    text = dumped([chat], front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "open-webui"
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert found.problems == ()
    assert_escaped(text, found)


@given(st.text(alphabet="ab<>&\"'\n é😀", min_size=1).filter(lambda t: not t.startswith("\n") and t[-1] != "\n"))
def test_a_thought_in_an_open_webui_answer_is_reasoning_without_its_quote_marks(thought: str) -> None:
    quoted = "\n".join(f"> {line}" for line in html.escape(thought).split("\n"))
    block = f'<details type="reasoning" done="true" duration="2">\n<summary>Thought</summary>\n{quoted}\n</details>\n'
    question, answer = {"role": "user", "content": "q"}, {"role": "assistant", "content": block + "It is."}
    text = dumped([open_webui([question, answer])])
    found = readable(text)
    assert shapes(found)[0][1] == ("assistant", [("reasoning", thought), ("text", "It is.")])
    source = found.responses[0].turn.parts[0].source
    for i, character in enumerate(thought):
        spelled = json.loads(f'"{text[source.start_of(i) : source.end_of(i)]}"')
        assert html.unescape(spelled) == character


def test_a_tool_call_shown_in_an_open_webui_answer_is_left_out_and_named() -> None:
    block = '<details type="tool_calls" done="true" name="look">\n<summary>Tool</summary>\n</details>\n'
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": f"{block}a"}]
    found = readable(dumped([open_webui(messages)]))
    assert said(found) == [("q", "a")]
    assert ["'tool_calls'" in message for _, message in found.problems] == [True]


def test_of_an_open_webui_tree_the_open_branch_is_read() -> None:
    chat = open_webui([{"role": "user", "content": "q"}, {"role": "assistant", "content": "old"}])
    new = {"id": "2", "parentId": "0", "childrenIds": [], "role": "assistant", "content": "new"}
    chat["chat"]["history"]["messages"]["2"] = new
    chat["chat"]["history"]["currentId"] = "2"
    found = readable(dumped([chat]))
    assert said(found) == [("q", "new")]
    assert [message for _, message in found.problems] == ["1 message of another branch was left out."]


def selected(version: Json, *others: Json) -> Json:
    return {"versions": [*others, version], "currentlySelected": len(others)}


def block(*content: Json, **more: object) -> Json:
    return {"type": "contentBlock", "stepIdentifier": "s", "content": list(content), "genInfo": {"x": "y"}, **more}


def lm_studio(talk: list[Round]) -> Json:
    messages: list[Json] = []
    for each in talk:
        asked = {"type": "singleStep", "role": "user", "content": [{"type": "text", "text": each.question}]}
        messages.append(selected(asked))
        steps: list[Json] = []
        if each.thought:
            steps.append(block({"type": "text", "text": each.thought}, style={"type": "thinking", "ended": True}))
        for arguments, _ in each.calls:
            steps.append(block({"type": "toolCallRequest", "callId": 1, "name": "t", "parameters": arguments}))
            steps.append({"type": "toolStatus", "statusState": {"status": "done"}})
        for _, result in each.calls:
            steps.append(block({"type": "toolCallResult", "callId": 1, "content": result}, roleOverride="tool"))
        steps += [block({"type": "text", "text": each.answer}), {"type": "debugInfoBlock", "debugInfo": "x"}]
        messages.append(selected({"type": "multiStep", "role": "assistant", "steps": steps}))
    return {"name": "n", "systemPrompt": "Be brief.", "messages": messages, "tokenCount": 3}


@given(talks(), fronts, st.booleans())
def test_an_lm_studio_conversation_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    text = dumped(lm_studio(talk), front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "lm-studio"
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert found.problems == ()
    assert_escaped(text, found)


def test_of_the_versions_of_an_lm_studio_message_the_selected_one_is_read() -> None:
    conversation = lm_studio([Round("q", "", [], "new")])
    old = {"type": "multiStep", "role": "assistant", "steps": [block({"type": "text", "text": "old"})]}
    new = conversation["messages"][1]["versions"][0]
    conversation["messages"][1] = selected(new, old)
    found = readable(dumped(conversation))
    assert said(found) == [("q", "new")]
    assert ["Versions" in message for _, message in found.problems] == [True]


def test_the_system_prompt_of_an_lm_studio_chat_goes_before_that_of_the_conversation() -> None:
    conversation = lm_studio([Round("q", "", [], "a")])
    field = {"key": "llm.prediction.systemPrompt", "value": "Rhyme."}
    conversation["perChatPredictionConfig"] = {"fields": [field]}
    assert readable(dumped(conversation)).responses[0].context[0].text == "Rhyme."


def gemini_contents(talk: list[Round]) -> list[Json]:
    found: list[Json] = []
    for each in talk:
        found.append({"role": "user", "parts": [{"text": each.question}]})
        parts: list[Json] = [{"text": each.thought, "thought": True}] if each.thought else []
        if each.calls:
            calls = [{"functionCall": {"name": "t", "args": arguments}} for arguments, _ in each.calls]
            results = [{"functionResponse": {"name": "t", "response": result}} for _, result in each.calls]
            found += [{"role": "model", "parts": parts + calls}, {"role": "user", "parts": results}]
            parts = []
        found.append({"role": "model", "parts": [*parts, {"text": each.answer, "thoughtSignature": "s"}]})
    return found


@given(talks(), fronts, st.booleans())
def test_gemini_contents_are_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    system = {"parts": [{"text": "Be brief."}]}
    request = {"systemInstruction": system, "contents": gemini_contents(talk), "generationConfig": {"topP": 1}}
    text = dumped(request, front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "gemini"
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert found.problems == ()
    assert_escaped(text, found)


@given(talks(), st.booleans())
def test_a_gemini_request_with_its_response_is_one_conversation(talk: list[Round], batch: bool) -> None:
    *asked, answer = gemini_contents(talk)
    response = {"candidates": [{"content": answer, "finishReason": "STOP"}], "usageMetadata": {"totalTokenCount": 3}}
    request = {"contents": asked}
    text = dumped({"key": "k", "request": request, "response": response} if batch else {**request, **response})
    found = readable(text)
    assert shapes(found) == [expected(talk)]
    assert found.problems == ()
    assert_escaped(text, found)


def test_several_gemini_candidates_are_each_a_conversation() -> None:
    answers = [{"content": {"role": "model", "parts": [{"text": answer}]}} for answer in ("a", "b")]
    found = readable(dumped({"contents": [{"parts": [{"text": "q"}]}], "candidates": answers}))
    assert said(found) == [("q", "a"), ("q", "b")]
    assert [response.label for response in found.responses] == ["candidate 0", "candidate 1"]


def test_code_that_gemini_ran_is_a_call_with_its_result() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    content = {"role": "model", "parts": [{"text": "See:"}, code, result, {"text": "One."}]}
    found = readable(dumped({"contents": [{"role": "user", "parts": [{"text": "q"}]}, content]}))
    assert shapes(found)[0][1:] == [
        ("assistant", [("text", "See:"), ("tool_call", "print(1)")]),
        ("tool", [("tool_result", "1\n")]),
        ("assistant", [("text", "One.")]),
    ]


def test_the_functions_that_a_gemini_request_declares_are_its_tools() -> None:
    request = {
        "contents": gemini_contents([Round("q", "", [], "a")]),
        "tools": [{"functionDeclarations": [{"name": "look"}]}],
    }
    assert json.loads(readable(dumped(request)).responses[0].tools) == [{"name": "look"}]


def test_a_picture_for_gemini_is_named() -> None:
    request = {"contents": gemini_contents([Round("q", "", [], "a")])}
    request["contents"][0]["parts"].append({"inlineData": {"mimeType": "image/png", "data": "AA"}})
    found = readable(dumped(request))
    assert said(found) == [("q", "a")]
    assert ["`inlineData`" in message for _, message in found.problems] == [True]


@given(talks(calls=False), fronts, st.booleans(), filled)
def test_an_ai_studio_chat_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool, system: str) -> None:
    chunks: list[Json] = []
    for each in talk:
        chunks.append({"text": each.question, "role": "user", "tokenCount": 3})
        if each.thought:
            parts = [{"text": each.thought, "thought": True}]
            chunks.append({"text": each.thought, "role": "model", "isThought": True, "parts": parts})
        chunks.append({"text": each.answer, "role": "model", "finishReason": "STOP"})
    chat = {
        "runSettings": {"model": "m"},
        "systemInstruction": {"text": system},
        "chunkedPrompt": {"chunks": chunks, "pendingInputs": [{"text": "", "role": "user"}]},
    }
    text = dumped(chat, front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "gemini"
    assert shapes(found) == [expected(talk, system)]
    assert found.problems == ()
    assert_escaped(text, found)

"""What chat programs export: every part is read where it stands, and what is left out is said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transcripts.talks import Round, dumped, expected, fronts, shapes, talks
from transcripts.transcript_checks import assert_escaped, readable, said

Json = dict[str, Any]


def chatgpt_message(role: str, content: Json, recipient: str = "all", **more: object) -> Json:
    author: Json = {"role": role, "name": "python" if role == "tool" else None, "metadata": {}}
    return {"id": "x", "author": author, "content": content, "recipient": recipient, "metadata": {}, **more}


def chatgpt_text(text: str) -> Json:
    return {"content_type": "text", "parts": [text]}


def chatgpt(messages: list[Json], **more: object) -> Json:
    """A conversation whose tree has one branch."""
    mapping: Json = {"0": {"id": "0", "message": None, "parent": None, "children": []}}
    for number, message in enumerate(messages, 1):
        mapping[str(number)] = {"id": str(number), "message": message, "parent": str(number - 1), "children": []}
    return {"title": "t", "mapping": mapping, "current_node": str(len(messages)), **more}


def chatgpt_messages(talk: list[Round]) -> list[Json]:
    found: list[Json] = []
    for each in talk:
        found.append(chatgpt_message("user", chatgpt_text(each.question)))
        if each.thought:
            thoughts = [{"summary": "Thinking", "content": each.thought, "chunks": [], "finished": True}]
            found.append(chatgpt_message("assistant", {"content_type": "thoughts", "thoughts": thoughts}))
        for arguments, _ in each.calls:
            code = {"content_type": "code", "language": "unknown", "text": arguments}
            found.append(chatgpt_message("assistant", code, "python", end_turn=False))
        for _, result in each.calls:
            found.append(chatgpt_message("tool", {"content_type": "execution_output", "text": result}))
        found.append(chatgpt_message("assistant", chatgpt_text(each.answer), end_turn=True))
    return found


@given(talks(), fronts, st.booleans())
def test_a_chatgpt_export_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    text = dumped([chatgpt(chatgpt_messages(talk))], front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "chatgpt"
    assert shapes(found) == [expected(talk)]
    assert found.problems == ()
    assert_escaped(text, found)


def test_of_a_chatgpt_tree_the_open_branch_is_read_and_the_others_are_counted() -> None:
    tree = chatgpt([chatgpt_message("user", chatgpt_text("q")), chatgpt_message("assistant", chatgpt_text("old"))])
    new = chatgpt_message("assistant", chatgpt_text("new"))
    tree["mapping"]["3"] = {"id": "3", "message": new, "parent": "1", "children": []}
    tree["current_node"] = "3"
    found = readable(dumped([tree]))
    assert said(found) == [("q", "new")]
    assert [message for _, message in found.problems] == ["1 message of another branch was left out."]


def test_a_chatgpt_tree_that_names_no_open_branch_is_read_to_its_last_leaf() -> None:
    tree = chatgpt([chatgpt_message("user", chatgpt_text("q")), chatgpt_message("assistant", chatgpt_text("a"))])
    del tree["current_node"]
    found = readable(dumped(tree))
    assert said(found) == [("q", "a")]
    assert "current_node" in found.problems[0][1]


def test_a_hidden_chatgpt_message_is_read_and_one_of_weight_zero_is_left_out() -> None:
    hidden = chatgpt_message("system", chatgpt_text("be brief"), weight=1.0)
    hidden["metadata"] = {"is_visually_hidden_from_conversation": True}
    messages = [
        chatgpt_message("system", chatgpt_text(""), weight=0.0),
        hidden,
        chatgpt_message("user", chatgpt_text("q")),
        chatgpt_message("tool", chatgpt_text("shown only"), weight=0.0),
        chatgpt_message("assistant", chatgpt_text("a")),
    ]
    found = readable(dumped([chatgpt(messages)]))
    assert shapes(found) == [
        [("system", [("text", "be brief")]), ("user", [("text", "q")]), ("assistant", [("text", "a")])]
    ]
    assert ["weight 0" in message for _, message in found.problems] == [True]


def test_pictures_in_a_chatgpt_message_are_named() -> None:
    parts = [{"content_type": "image_asset_pointer", "asset_pointer": "file://x"}, "What is this?"]
    question = chatgpt_message("user", {"content_type": "multimodal_text", "parts": parts})
    found = readable(dumped([chatgpt([question, chatgpt_message("assistant", chatgpt_text("A cat."))])]))
    assert said(found) == [("What is this?", "A cat.")]
    assert ["image_asset_pointer" in message for _, message in found.problems] == [True]


def test_standing_instructions_of_a_chatgpt_user_are_a_system_turn() -> None:
    profile = {"content_type": "user_editable_context", "user_profile": "I paint.", "user_instructions": "Be brief."}
    messages = [chatgpt_message("user", profile), chatgpt_message("user", chatgpt_text("q"))]
    found = readable(dumped([chatgpt([*messages, chatgpt_message("assistant", chatgpt_text("a"))])]))
    system, _ = found.responses[0].context
    assert (system.role.value, system.text) == ("system", "I paint.\nBe brief.")


def test_an_unknown_chatgpt_content_type_is_named() -> None:
    odd = chatgpt_message("assistant", {"content_type": "hologram", "beam": "x"})
    messages = [chatgpt_message("user", chatgpt_text("q")), odd, chatgpt_message("assistant", chatgpt_text("a"))]
    found = readable(dumped([chatgpt(messages)]))
    assert said(found) == [("q", "a")]
    assert ["'hologram'" in message for _, message in found.problems] == [True]


def claude(messages: list[Json], **more: object) -> Json:
    return {"uuid": "u", "name": "n", "chat_messages": messages, **more}


def claude_message(sender: str, *blocks: Json, **more: object) -> Json:
    text = "".join(str(block.get("text", "")) for block in blocks)
    return {"uuid": "m", "text": text, "content": list(blocks), "sender": sender, "attachments": [], **more}


def claude_messages(talk: list[Round]) -> list[Json]:
    found: list[Json] = []
    for each in talk:
        found.append(claude_message("human", {"type": "text", "text": each.question, "citations": []}))
        blocks: list[Json] = [{"type": "thinking", "thinking": each.thought, "summaries": []}] if each.thought else []
        blocks += [{"type": "tool_use", "name": "t", "input": arguments} for arguments, _ in each.calls]
        for _, result in each.calls:
            content = [{"type": "text", "text": result, "uuid": "r"}]
            blocks.append({"type": "tool_result", "name": "t", "content": content, "is_error": False})
        found.append(claude_message("assistant", *blocks, {"type": "text", "text": each.answer}))
    return found


@given(talks(), fronts, st.booleans())
def test_a_claude_export_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    text = dumped([claude(claude_messages(talk))], front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "claude"
    assert shapes(found) == [expected(talk)]
    assert found.problems == ()
    assert_escaped(text, found)


def test_an_old_claude_export_without_content_is_read_from_its_text() -> None:
    messages = [{"sender": "human", "text": "q"}, {"sender": "assistant", "text": "a"}]
    assert said(readable(dumped([claude(messages)]))) == [("q", "a")]


def test_the_text_of_a_claude_attachment_is_read_and_a_file_is_named() -> None:
    question = claude_message("human", {"type": "text", "text": "Sum it up."})
    question["attachments"] = [{"file_name": "a.txt", "file_type": "txt", "extracted_content": "One. Two."}]
    question["files"] = [{"file_name": "b.png"}]
    found = readable(dumped([claude([question, claude_message("assistant", {"type": "text", "text": "Three."})])]))
    assert [part.text for part in found.responses[0].context[0].parts] == ["One. Two.", "\n", "Sum it up."]
    assert [message for _, message in found.problems] == ["The file 'b.png' is not in the export."]


def test_of_a_claude_tree_the_open_branch_is_read() -> None:
    messages = [
        claude_message("human", {"type": "text", "text": "q"}) | {"uuid": "1", "parent_message_uuid": "0"},
        claude_message("assistant", {"type": "text", "text": "old"}) | {"uuid": "2", "parent_message_uuid": "1"},
        claude_message("assistant", {"type": "text", "text": "new"}) | {"uuid": "3", "parent_message_uuid": "1"},
    ]
    last = readable(dumped([claude(messages)]))
    named = readable(dumped([claude(messages, current_leaf_message_uuid="2")]))
    assert (said(last), said(named)) == ([("q", "new")], [("q", "old")])
    assert [message for _, message in last.problems] == ["1 message of another branch was left out."]


def test_the_arguments_of_a_claude_call_are_the_json_of_the_file() -> None:
    call = {"type": "tool_use", "name": "look", "id": "c1", "input": {"at": "the sky"}}
    text = json.dumps([claude([claude_message("human"), claude_message("assistant", call)])])
    part = readable(text).responses[0].turn.parts[0]
    assert part.call is not None
    assert (part.call.name, part.call.arguments, part.call.id) == ("look", '{"at": "the sky"}', "c1")
    assert text[part.source.source_start : part.source.source_end] == part.text

"""Rendered text of every family of chat templates: turns, conversations, and the file's own text before an answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import PartKind, Role, read
from shiftlens.transcripts.registry import text_formats
from transcripts.transcript_checks import assert_verbatim, readable, said, texts


@dataclass(frozen=True)
class Shape:
    """How a template spells a conversation; `{}` is the text of a turn."""

    bos: str
    user: str
    assistant: str
    end: str
    system: str = ""
    tool: str = ""

    def rendered(self, role: Role, text: str) -> str:
        turn = {
            Role.SYSTEM: self.system,
            Role.USER: self.user,
            Role.ASSISTANT: self.assistant,
            Role.TOOL: self.tool,
        }[role]
        return turn.replace("{}", text)


def headed(header: str, end: str, *, bos: str = "", assistant: str = "assistant", tool: str = "tool") -> Shape:
    """The shape of a template that writes each turn alike."""
    stop = end.strip()
    return Shape(
        bos,
        header.format("user") + "{}" + end,
        header.format(assistant) + "{}" + end,
        stop,
        header.format("system") + "{}" + end,
        header.format(tool) + "{}" + end,
    )


SHAPES = {
    "chatml": headed("<|im_start|>{}\n", "<|im_end|>\n"),
    "chatml with a BOS": headed("<|im_start|>{}\n", "<|im_end|>\n", bos="<|startoftext|>"),
    "chatml of phi-4": headed("<|im_start|>{}<|im_sep|>", "<|im_end|>"),
    "llama3": headed(
        "<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>", bos="<|begin_of_text|>", tool="ipython"
    ),
    "llama4": headed("<|header_start|>{}<|header_end|>\n\n", "<|eot|>", bos="<|begin_of_text|>", tool="ipython"),
    "gemma": headed("<start_of_turn>{}\n", "<end_of_turn>\n", bos="<bos>", assistant="model"),
    "gemma4": headed("<|turn>{}\n", "<turn|>\n", bos="<bos>", assistant="model"),
    "zephyr": headed("<|{}|>\n", "</s>\n"),
    "zephyr of tulu": Shape(
        "", "<|user|>\n{}\n", "<|assistant|>\n{}<|endoftext|>\n", "<|endoftext|>", "<|system|>\n{}\n", "<|tool|>\n{}\n"
    ),
    "phi": headed("<|{}|>\n", "<|end|>\n", tool="user"),
    "phi of phi-4-mini": headed("<|{}|>", "<|end|>", tool="user"),
    "glm": Shape(
        "[gMASK]<sop>",
        "<|user|>\n{}",
        "<|assistant|>\n{}",
        "",
        "<|system|>\n{}",
        "<|observation|>\n<tool_response>\n{}\n</tool_response>",
    ),
    "deepseek": Shape(
        "<｜begin▁of▁sentence｜>",
        "<｜User｜>{}",
        "<｜Assistant｜>{}<｜end▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "{}",
    ),
    "deepseek in ASCII": Shape("", "<|User|>{}", "<|Assistant|>{}<|end▁of▁sentence|>", "<|end▁of▁sentence|>"),
    "command-r": Shape(
        "<BOS_TOKEN>",
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{}<|END_OF_TURN_TOKEN|>",
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>{}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{}<|END_OF_TURN_TOKEN|>",
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><results>\n{}\n</results><|END_OF_TURN_TOKEN|>",
    ),
    "granite": headed("<|start_of_role|>{}<|end_of_role|>", "<|end_of_text|>\n", tool="tool_response"),
    "kimi": headed("<|im_system|>{}<|im_middle|>", "<|im_end|>"),
    "harmony": Shape(
        "",
        "<|start|>user<|message|>{}<|end|>",
        "<|start|>assistant<|channel|>final<|message|>{}<|return|>",
        "<|return|>",
        "<|start|>developer<|message|>{}<|end|>",
        "<|start|>functions.f to=assistant<|channel|>commentary<|message|>{}<|end|>",
    ),
    "idefics": Shape(
        "<|im_start|>",
        "User: {}<end_of_utterance>\n",
        "Assistant: {}<end_of_utterance>\n",
        "<end_of_utterance>",
        "System: {}<end_of_utterance>\n",
        "Tool: {}<end_of_utterance>\n",
    ),
}

plain = texts.map(lambda text: re.sub(r"[<\[{｜]", "", text).strip(" \t\r\n"))
answers = plain.filter(bool)
exchanges = st.lists(st.tuples(plain, st.none() | plain.filter(bool), answers), min_size=1, max_size=3)
files = st.lists(st.tuples(st.none() | plain.filter(bool), exchanges), min_size=1, max_size=3)
File = list[tuple["str | None", list[tuple[str, "str | None", str]]]]


def turns_of(shape: Shape, file: File) -> list[list[tuple[Role, str]]]:
    """The turns of each conversation; all but the first begin with a system turn where no BOS tells them apart."""
    conversations: list[list[tuple[Role, str]]] = []
    for system, pairs in file:
        turns: list[tuple[Role, str]] = []
        if shape.system and (system or (conversations and not shape.bos)):
            turns.append((Role.SYSTEM, system or "S"))
        for question, result, answer in pairs:
            turns.append((Role.USER, question))
            if result and shape.tool and "user" not in shape.tool:
                turns += [(Role.ASSISTANT, "One moment."), (Role.TOOL, result)]
            turns.append((Role.ASSISTANT, answer))
        conversations.append(turns)
        if not shape.bos and not shape.system:
            break
    return conversations


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=40)
@given(file=files, newline=st.sampled_from(["\n", "\r\n"]), front=st.sampled_from(["", "\ufeff", "\n"]))
def test_rendered_conversations_are_read_back_exactly(name: str, file: File, newline: str, front: str) -> None:
    shape = SHAPES[name]
    conversations = turns_of(shape, file)
    text = front
    prefixes: list[str] = []
    for conversation in conversations:
        begin = len(text)
        text += shape.bos
        for role, said_text in conversation:
            rendered = shape.rendered(role, "{}").replace("\n", newline).replace("{}", said_text)
            if role is Role.ASSISTANT:
                before = rendered[: rendered.rindex(said_text + shape.end)]
                prefixes.append((text + before)[begin:].replace("\r\n", "\n"))
            text += rendered
    found = readable(text)
    assert found.format == name.split()[0]
    assert found.problems == ()
    expected = [[(role, turn.replace("\r\n", "\n")) for role, turn in turns] for turns in conversations]
    assert [[(turn.role, turn.text) for turn in turns] for turns in found.conversations] == expected
    assert [response.verbatim_prefix for response in found.responses] == prefixes
    assert all((response.end_marker or "") == shape.end for response in found.responses)
    assert_verbatim(text, found)


def test_every_format_of_template_text_has_a_shape_here() -> None:
    with_a_prefix = {
        known.name
        for known in text_formats()
        if not known.by_model
        for example in known.examples
        if readable(example.text).responses[0].verbatim_prefix is not None
    }
    assert with_a_prefix - {"llama2"} == {name.split()[0] for name in SHAPES}


TWO = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\none<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\ntwo<|eot_id|>\n"
)


def test_a_bos_between_turns_begins_a_new_conversation() -> None:
    found = readable(TWO + TWO.replace("one", "three").replace("two", "four"))
    assert said(found) == [("one", "two"), ("three", "four")]
    assert [(response.conversation, response.turn_index) for response in found.responses] == [(0, 1), (1, 1)]
    assert [response.verbatim_prefix for response in found.responses] == [
        TWO[: TWO.index("two")],
        TWO[: TWO.index("two")].replace("one", "three"),
    ]
    assert [response.notes for response in found.responses] == [(), ()]
    assert "4 `<|start_header_id|>` turns in 2 conversations" in found.detected_by


def test_an_end_of_text_between_turns_begins_a_new_conversation() -> None:
    one = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
    found = readable(f"{one}<|endoftext|>{one}")
    assert [response.verbatim_prefix for response in found.responses] == [one[: one.index("a<|im_end|>", 30)]] * 2


def test_a_system_turn_after_an_answer_begins_a_new_conversation_and_says_so() -> None:
    one = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
    found = readable(one + one)
    assert [response.verbatim_prefix for response in found.responses] == [one[: one.index("A<")]] * 2
    assert found.responses[0].notes == ()
    assert "another conversation" in found.responses[1].notes[0]


def test_a_doubled_bos_is_noted() -> None:
    found = readable("<|begin_of_text|>" + TWO)
    assert found.responses[0].notes == (
        "The conversation begins with 2 `<|begin_of_text|>`, where templates write one.",
    )
    assert found.responses[0].verbatim_prefix == ("<|begin_of_text|>" + TWO)[: -len("two<|eot_id|>\n")]


def test_text_outside_of_turns_is_told_with_its_line() -> None:
    found = readable("<|im_start|>user\nq<|im_end|>\n\nHm.\n<|im_start|>assistant\na<|im_end|>\nThe end.\n")
    assert said(found) == [("q", "a")]
    assert found.problems == (
        (4, "Text outside of the turns was left out."),
        (7, "Text outside of the turns was left out."),
    )


def test_a_header_of_no_role_inside_a_turn_is_text() -> None:
    found = readable("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nWrite <|im_start|>name\nthen.<|im_end|>\n")
    assert said(found) == [("q", "Write <|im_start|>name\nthen.")]


@pytest.mark.parametrize("marker", ["<|im_start|>", "<|user|>", "<|start|>", "<start_of_turn>"])
def test_a_template_marker_that_opens_no_turn_is_no_transcript(marker: str) -> None:
    assert read(f"{marker} is a marker.\n") is None


def test_a_marker_further_on_is_no_transcript() -> None:
    assert read("About <|user|>:\n\n<|user|>\nq</s>\n<|assistant|>\na</s>\n") is None


def test_too_long_conversations_are_refused_before_their_contexts_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftlens.transcripts.text.rendered.MAX_PREFIX_CHARACTERS", 100_000)
    turn = f"<|im_start|>assistant\n{'x' * 100}<|im_end|>\n"
    with pytest.raises(TranscriptError, match="too long"):
        read(turn * 100)
    assert len(readable("".join(f"<s>{turn}" for _ in range(100))).responses) == 100


@pytest.mark.parametrize("separator", ["\n", ""])
def test_tool_responses_in_a_users_turn_are_a_tools_turns(separator: str) -> None:
    blocks = "".join(f"<tool_response>\n{result}\n</tool_response>{separator}" for result in ("42", "43"))
    text = f"<|im_start|>user\n{blocks}<|im_end|>\n<|im_start|>assistant\nBoth.<|im_end|>\n"
    context = readable(text).responses[0].context
    assert [(turn.role, turn.text) for turn in context] == [(Role.TOOL, "42"), (Role.TOOL, "43")]


def test_a_user_who_speaks_of_tool_responses_stays_a_user() -> None:
    question = "What is <tool_response>\n42\n</tool_response>?"
    found = readable(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\na<|im_end|>")
    assert said(found) == [(question, "a")]
    assert found.responses[0].context[0].role is Role.USER


def test_deepseek_goes_on_after_a_tools_output_without_a_header() -> None:
    text = (
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>q<｜Assistant｜>Hm.<｜tool▁calls▁begin｜>"
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>"
        "<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>42<｜tool▁output▁end｜>\n"
        "<｜tool▁output▁begin｜>43<｜tool▁output▁end｜><｜tool▁outputs▁end｜>Both.<｜end▁of▁sentence｜>"
    )
    found = readable(text)
    assert [(turn.role.value, turn.text) for turn in found.conversations[0]] == [
        ("system", "Be brief."),
        ("user", "q"),
        ("assistant", "Hm."),
        ("tool", "42"),
        ("tool", "43"),
        ("assistant", "Both."),
    ]
    assert found.responses[1].verbatim_prefix == text[: text.index("Both.")]
    assert [part.kind for part in found.responses[0].turn.parts] == [PartKind.TEXT, PartKind.TOOL_CALL]


def test_gemma_4_goes_on_after_a_tools_response_in_the_same_turn() -> None:
    text = (
        '<bos><|turn>user\nq<turn|>\n<|turn>model\n<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|>'
        "<|tool_response>response:f{value:42}<tool_response|>It is 42.<turn|>\n"
    )
    found = readable(text)
    assert [turn.role.value for turn in found.conversations[0]] == ["user", "assistant", "tool", "assistant"]
    assert found.conversations[0][2].name == "f"
    assert found.responses[1].verbatim_prefix == text[: text.index("It is")]


def test_the_json_of_a_call_before_a_tools_turn_is_a_call() -> None:
    text = (
        '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "f", "parameters": {}}<|eot_id|>'
        "<|start_header_id|>ipython<|end_header_id|>\n\n42<|eot_id|>"
    )
    part = readable(text).responses[0].turn.parts[0]
    assert (part.kind, part.call and part.call.name) == (PartKind.TOOL_CALL, "f")
    assert readable(text.replace("ipython", "user")).responses[0].turn.parts[0].kind is PartKind.TEXT


HARMONY = (
    "<|start|>system<|message|>S<|end|><|start|>developer<|message|>D<|end|><|start|>user<|message|>q<|end|>"
    "<|start|>assistant<|channel|>analysis<|message|>Look.<|end|>"
    "<|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
    "<|start|>assistant to=functions.f<|channel|>commentary <|constrain|>json<|message|>{}<|call|>"
    "<|start|>functions.f to=assistant<|channel|>commentary<|message|>42<|end|>"
    "<|start|>assistant<|channel|>analysis<|message|>42 it is.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>It is 42.<|return|>"
)


def test_harmony_messages_of_the_assistant_are_the_parts_of_one_turn() -> None:
    found = readable(HARMONY)
    assert [turn.role.value for turn in found.conversations[0]] == [
        "system",
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    calling, answering = found.responses
    assert [part.kind.value for part in calling.turn.parts] == ["reasoning", "text", "tool_call"]
    assert (calling.text, answering.text) == ("I look.", "It is 42.")
    assert [part.kind.value for part in answering.turn.parts] == ["reasoning", "text"]
    assert (calling.end_marker, answering.end_marker) == ("<|call|>", "<|return|>")
    call = calling.turn.parts[2].call
    assert call is not None
    assert (call.name, call.arguments) == ("f", "{}")


def test_harmony_parts_join_to_what_the_model_wrote() -> None:
    for response in readable(HARMONY).responses:
        joined = "".join(part.text for part in response.turn.parts)
        assert HARMONY.startswith(f"{response.verbatim_prefix}{joined}{response.end_marker}")
        assert (response.verbatim_prefix or "").endswith("<|start|>assistant")


def test_a_harmony_prompt_has_no_response() -> None:
    text = "<|start|>user<|message|>q<|end|><|start|>assistant"
    found = readable(text)
    assert (found.responses, found.problems) == ((), ())


@pytest.mark.parametrize("thought", ["", "<think>\n", "<think>\n\n</think>\n\n", "<think></think>"])
def test_a_thought_that_the_generation_prompt_opens_is_no_response(thought: str) -> None:
    prompt = f"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n{thought}"
    assert readable(prompt).responses == ()
    assert len(readable(f"{prompt}a").responses) == 1


def test_a_harmony_answer_in_json_is_parted_too() -> None:
    answer = HARMONY[HARMONY.index("<|channel|>analysis<|message|>42") : HARMONY.index("<|return|>")]
    text = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]})
    assert [part.kind.value for part in readable(text).responses[0].turn.parts] == ["reasoning", "text"]
    assert readable(text).responses[0].text == "It is 42."


@pytest.mark.parametrize("name", [name for name in SHAPES if " " not in name])
def test_a_named_template_may_begin_after_other_text(name: str) -> None:
    shape = SHAPES[name]
    rendered = shape.bos + shape.rendered(Role.USER, "q") + shape.rendered(Role.ASSISTANT, "a")
    assert said(readable("Notes.\n" + rendered, format=name)) == [("q", "a")]

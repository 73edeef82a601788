"""Reasoning and tool calls between marks are parts of their own; a quoted mark is text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.transcripts import Part, PartKind, Role, ToolCall, Turn
from shiftlens.transcripts.conversation import passage, verbatim_turn
from shiftlens.transcripts.marks import marked_parts
from transcripts.transcript_checks import assert_escaped, assert_verbatim, readable, texts


def parted(text: str) -> list[tuple[str, str]]:
    """Kind and text of each part, after checking that nothing is lost and that marks are only where a kind needs it."""
    turn = marked_parts(verbatim_turn(Role.ASSISTANT, text, 0, len(text)))
    assert "".join(part.text for part in turn.parts) == passage(text, 0, len(text))[0]
    assert all(part.marked == (part.kind is not PartKind.TEXT) for part in turn.parts)
    return [(part.kind.value, part.text) for part in turn.parts]


def calls(text: str) -> list[ToolCall | None]:
    turn = marked_parts(verbatim_turn(Role.ASSISTANT, text, 0, len(text)))
    return [part.call for part in turn.parts if part.kind is PartKind.TOOL_CALL]


@pytest.mark.parametrize(
    "reasoning",
    [
        "<think>\nAir scatters.\n</think>\n\n",
        "<think>\n\n</think>\n\n",
        "<think></think>",
        "\n<think>Air</think>\n",
        "<thinking>Air</thinking>\n",
        "[THINK]Air[/THINK]",
        "<|START_THINKING|>Air<|END_THINKING|><|START_RESPONSE|>",
        "<seed:think>Air</seed:think>",
        "<|channel>thought\nAir\n<channel|>",
        "<think>\n</think>\n<think>Air, with `<think>` in it</think>\n\n",
        "Air scatters.\n</think>\n\n",
        "Air</think>",
        "<|channel|>analysis<|message|>Air<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_reasoning_that_opens_a_turn_is_a_part_with_its_marks_and_blanks(reasoning: str) -> None:
    assert parted(f"{reasoning}Because.") == [("reasoning", reasoning), ("text", "Because.")]


def test_reasoning_that_was_cut_off_is_all_reasoning() -> None:
    assert parted("<think>\nAir scat") == [("reasoning", "<think>\nAir scat")]


@pytest.mark.parametrize(
    "answer",
    [
        "The tag is <think>like this</think>\nand so on.",
        "Close it with `</think>`\nalways.",
        "The </think> tag ends it.",
        "```\nreasoning\n</think>\n```\n",
        "one\n</think>\ntwo\n</think>\nthree",
        "Say <tool_call> first.",
        "<tool_call> opens a call.\n</tool_call>",
        "```xml\n<tool_call>\n{}\n</tool_call>\n```",
        "`[TOOL_CALLS][{` is Mistral's.",
        "The token [TOOL_CALLS] opens a list.",
        "Llama writes <|python_tag|> there.",
        "From <|tool_call_start|> to <|tool_call_end|>.",
        "A <thinking>turn</thinking>",
    ],
)
def test_a_mark_that_is_spoken_about_is_text(answer: str) -> None:
    assert parted(answer) == [("text", answer)]


@pytest.mark.parametrize(
    ("spelling", "arguments"),
    [
        ('<tool_call>\n{"name": "f", "arguments": {"a": "1"}}\n</tool_call>', '{"a": "1"}'),
        ("<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>\n", '{"a": "1"}'),
        ("<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", '{"a": "1"}'),
        ("<tool_call>f\n</tool_call>", "{}"),
        ('<function=f>{"a": 1}</function>', '{"a": 1}'),
        ('[TOOL_CALLS][{"name": "f", "arguments": {"a": 1}}]', '{"a": 1}'),
        ('[TOOL_CALLS]f[ARGS]{"a": 1}', '{"a": 1}'),
        ('[TOOL_CALLS]f{"a": 1}', '{"a": 1}'),
        ('<|python_tag|>{"name": "f", "parameters": {"a": 1}}', '{"a": 1}'),
        ('<|python_tag|>f(a=1, b="x")', '{"a": 1, "b": "x"}'),
        ("<|tool_call_start|>[f(a=1)]<|tool_call_end|>", '{"a": 1}'),
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{}\n```<｜tool▁call▁end｜>"
            "<｜tool▁calls▁end｜>",
            "{}",
        ),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "{}"),
        ('<|START_ACTION|>[{"tool_name": "f", "parameters": {"a": 1}}]<|END_ACTION|>', '{"a": 1}'),
        ('<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|>', '{a:<|"|>x<|"|>}'),
        ('<|tool_call|>[{"name": "f", "arguments": {"a": 1}}]', '{"a": 1}'),
    ],
)
@pytest.mark.parametrize("before", ["", "Let me look.", "<think>A tool?</think>"])
def test_a_call_in_each_spelling_is_a_part_with_its_name_and_arguments(
    before: str, spelling: str, arguments: str
) -> None:
    text = f"{before}\n{spelling}" if before else spelling
    assert "".join(said for kind, said in parted(text) if kind == "tool_call").strip() == spelling.strip()
    assert [(call.name, call.arguments) for call in calls(text) if call] == [("f", arguments)]


def test_several_calls_in_one_list_are_a_part_each() -> None:
    text = '[TOOL_CALLS][{"name": "f", "arguments": {}, "id": "abc"}, {"name": "g", "arguments": {}}]'
    assert calls(text) == [ToolCall("f", "{}", "abc"), ToolCall("g", "{}")]
    assert len(parted(text)) == 2


def test_a_call_that_cannot_be_parsed_or_was_cut_off_is_still_a_call() -> None:
    assert parted('Yes.\n<tool_call>\n{"name": "f", "argu') == [
        ("text", "Yes."),
        ("tool_call", '\n<tool_call>\n{"name": "f", "argu'),
    ]
    assert calls('<tool_call>\n{"name": "f", "argu') == [None]
    assert calls("<|python_tag|>print(1)") == [None]
    assert calls("[TOOL_CALLS][{" + '"a":[' * 100_000) == [None]


def test_an_answer_may_follow_a_call() -> None:
    call = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n'
    assert parted(f"{call}Done.") == [("tool_call", call), ("text", "Done.")]


def test_only_text_of_an_assistant_is_parted() -> None:
    user = verbatim_turn(Role.USER, "<think>a</think>b", 0, 17)
    assert marked_parts(user) is user
    field = Part(PartKind.REASONING, "<think>x</think>", verbatim_turn(Role.USER, "x" * 16, 0, 16).parts[0].source)
    turn = Turn(Role.ASSISTANT, (field,))
    assert marked_parts(turn) is turn


def test_marks_in_json_lead_to_their_escaped_source() -> None:
    answer = '<think>\né\n</think>\n\nJa.\n<tool_call>\n{"name": "f", "arguments": {"a": "\\n"}}\n</tool_call>'
    text = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]})
    found = readable(text)
    assert [part.kind.value for part in found.responses[0].turn.parts] == ["reasoning", "text", "tool_call"]
    assert found.responses[0].text == "Ja."
    assert found.conversations[0][1] == found.responses[0].turn
    assert_escaped(text, found)


plain = texts.map(lambda text: text.strip(" \t\r\n")).filter(lambda text: "```" not in text and "~~~" not in text)
functions = st.builds(
    lambda name, value: json.dumps({"name": name, "arguments": {"a": value}}),
    st.sampled_from(["f", "get_weather"]),
    texts,
)


@given(plain, plain.filter(bool), st.lists(functions, max_size=3), st.sampled_from(["\n", "\r\n"]))
def test_parts_of_a_rendered_turn_are_read_back_exactly(
    reasoning: str, answer: str, called: list[str], newline: str
) -> None:
    thought = f"<think>\n{reasoning}\n</think>\n\n".replace("\n", newline)
    rendered = "".join(f"\n<tool_call>\n{call}\n</tool_call>".replace("\n", newline) for call in called)
    text = f"<|im_start|>assistant\n{thought}{answer}{rendered}<|im_end|>"
    found = readable(text)
    turn = found.responses[0].turn
    kinds = [part.kind for part in turn.parts]
    assert kinds == [PartKind.REASONING, PartKind.TEXT, *[PartKind.TOOL_CALL] * len(called)]
    assert turn.text == answer.replace("\r\n", "\n")
    assert [json.loads(part.call.arguments) for part in turn.parts if part.call] == [
        json.loads(call)["arguments"] for call in called
    ]
    assert_verbatim(text, found)


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<tool_call>", "{", "}", "[", "\n", " ", "```", "[TOOL_CALLS]", "x"])
    )
)
def test_no_arrangement_of_marks_loses_text(pieces: list[str]) -> None:
    parted("".join(pieces))

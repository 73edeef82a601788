"""Records: what stands beside the turns is read or named, and near-JSON is read or refused with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import PartKind, Role, Transcript, read
from shiftlens.transcripts.json import files
from transcripts.transcript_checks import readable, said

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}


def found_in(value: object) -> Transcript:
    return readable(json.dumps(value), filename="x.json")


def turns(transcript: Transcript, conversation: int = 0) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (turn.role.value, [(part.kind.value, part.text) for part in turn.parts])
        for turn in transcript.conversations[conversation]
    ]


@pytest.mark.parametrize("key", ["system", "system_prompt", "systemPrompt", "system_message"])
@pytest.mark.parametrize("system", ["s", [{"text": "s"}], [{"type": "text", "text": "s"}], {"parts": [{"text": "s"}]}])
def test_a_system_prompt_beside_the_turns_is_a_turn(key: str, system: object) -> None:
    for record in ({"messages": [USER, ANSWER]}, {"instruction": "q", "output": "a"}):
        found = found_in({**record, key: system})
        assert turns(found)[0] == ("system", [("text", "s")])
        assert found.problems == ()


def test_a_system_prompt_that_the_messages_begin_with_is_not_doubled() -> None:
    found = found_in({"system": "s", "messages": [{"role": "system", "content": "s"}, USER, ANSWER]})
    assert [role for role, _ in turns(found)] == ["system", "user", "assistant"]


@pytest.mark.parametrize("tools", [[{"name": "w"}], '[{"name": "w"}]', {"name": "w"}])
def test_tools_are_those_of_each_response(tools: object) -> None:
    found = found_in({"messages": [USER, ANSWER], "tools": tools})
    assert json.loads(found.responses[0].tools) == [{"name": "w"}]
    assert found.problems == ()


def test_tools_that_are_no_list_are_named() -> None:
    found = found_in({"messages": [USER, ANSWER], "tools": "a hammer"})
    assert found.problems == ((1, "`tools` is no list of tools; it was not read."),)


def test_a_member_that_no_reader_knows_is_named_once_with_a_count() -> None:
    rows = [{"messages": [USER, ANSWER], "hint": "psst", "id": 7, "metadata": {"a": "b"}}] * 3
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert readable(text).problems == ((1, "`hint` was not read. (The same holds 2 times more.)"),)


def test_a_member_that_stands_twice_is_named() -> None:
    found = readable(
        '{"messages": [{"role": "user", "content": "x", "content": "q"}, {"role": "assistant", "content": "a"}]}'
    )
    assert said(found) == [("q", "a")]
    assert found.problems == ((1, "`messages.content` stands more than once; the last was read."),)


def test_an_answer_beside_messages_is_the_one_that_is_scored() -> None:
    for beside in (
        {"response": "b"},
        {"content": "b"},
        {"choices": [{"text": "b"}]},
        {"response": {"message": {"content": "b"}}},
    ):
        found = found_in({"messages": [USER, ANSWER, USER], **beside})
        assert [(r.turn_index, r.text) for r in found.responses] == [(3, "b")]
        assert found.problems == ()


def test_an_answer_that_the_messages_hold_too_is_not_doubled() -> None:
    found = found_in({"messages": [USER, ANSWER], "response": "a"})
    assert [r.text for r in found.responses] == ["a"]


def test_another_answer_beside_messages_that_are_answered_is_told() -> None:
    found = found_in({"messages": [USER, ANSWER], "response": "b"})
    assert [(r.label, r.text) for r in found.responses] == [("messages", "a"), ("response", "b")]
    assert "ends with an answer" in found.problems[0][1]


@pytest.mark.parametrize(
    "value",
    [
        {"object": "chat.completion", "choices": [{"message": ANSWER}]},
        {"response": {"status_code": 200, "body": {"choices": [{"message": ANSWER}]}}, "error": None},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]},
        {"result": {"type": "succeeded", "message": ANSWER}},
    ],
)
def test_an_answer_without_its_prompt_is_shown_and_said_not_to_be_scored(value: dict[str, object]) -> None:
    if "result" in value:
        value = {
            **value,
            "result": {"type": "succeeded", "message": {**ANSWER, "type": "message", "content": [{"text": "a"}]}},
        }
    found = found_in(value)
    assert turns(found) == [("assistant", [("text", "a")])]
    assert found.responses == ()
    assert "without its prompt" in found.problems[0][1]


def test_a_request_without_an_answer_says_so() -> None:
    found = found_in({"url": "/v1", "request": {"model": "m", "messages": [USER]}})
    assert (found.responses, turns(found)) == ((), [("user", [("text", "q")])])
    assert "no answer" in found.problems[0][1]


def test_a_preference_pair_scores_only_what_the_sides_do_not_share() -> None:
    other = {"role": "assistant", "content": "b"}
    found = found_in({"chosen": [USER, ANSWER, USER, ANSWER], "rejected": [USER, ANSWER, USER, other]})
    assert [(r.label, r.conversation, r.turn_index, r.text) for r in found.responses] == [
        ("chosen", 0, 3, "a"),
        ("rejected", 1, 3, "b"),
    ]


def test_messages_that_repeat_the_chosen_side_are_not_doubled() -> None:
    other = {"role": "assistant", "content": "b"}
    record = {"prompt": "q", "chosen": [USER, ANSWER], "rejected": [USER, other], "messages": [USER, ANSWER]}
    found = found_in(record)
    assert [r.text for r in found.responses] == ["a", "b"]
    assert found.problems == ()
    assert found_in({**record, "messages": [USER, USER]}).problems == ((1, "`messages` was not read."),)


def test_a_pair_as_openai_takes_them_has_the_tools_of_its_input() -> None:
    record = {"input": {"messages": [USER], "tools": [{"name": "w"}]}, "preferred_output": [ANSWER]}
    found = found_in({**record, "non_preferred_output": [{"role": "assistant", "content": "b"}]})
    assert [(r.label, r.text, r.tools) for r in found.responses] == [
        ("preferred_output", "a", '[{"name": "w"}]'),
        ("non_preferred_output", "b", '[{"name": "w"}]'),
    ]
    assert found.problems == ()


def test_a_prompt_that_is_template_text_is_given_to_the_letter() -> None:
    prompt = "<|im_start|>user\r\nq<|im_end|>\n<|im_start|>assistant\n"
    found = found_in({"prompt": prompt, "generated_text": "a<|im_end|>"})
    (response,) = found.responses
    assert (response.text, response.end_marker) == ("a", "<|im_end|>")
    assert response.verbatim_prefix == prompt.replace("\r\n", "\n")
    assert [turn.text for turn in response.context] == ["q"]


def test_a_prompt_that_begins_the_answer_is_noted() -> None:
    found = found_in({"prompt": "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nSure,", "completion": " a"})
    assert found.responses[0].verbatim_prefix == "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nSure,"
    assert len(found.responses[0].notes) == 1


def test_generated_text_that_repeats_the_prompt_is_read_behind_it() -> None:
    prompt = "Why is the sky so very blue?"
    found = found_in({"prompt": prompt, "generated_text": f"{prompt} Air."})
    assert [r.text for r in found.responses] == [" Air."]
    assert "begins with the prompt" in found.problems[0][1]
    assert [r.text for r in found_in({"prompt": "Hi", "generated_text": "Hi there"}).responses] == ["Hi there"]


def test_a_second_name_for_the_answer_is_named() -> None:
    found = found_in({"question": "q", "response": "a", "answer": "gold"})
    assert said(found) == [("q", "a")]
    assert found.problems == ((1, "`answer` was not read."),)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"name": "w", "arguments": {"a": 1}}', '{"a": 1}'),
        ('{"name": "w", "arguments": "{\\"a\\": 1}"}', '{"a": 1}'),
        ('<functioncall> {"name": "w", "arguments": \'{"a": 1}\'}', '{"a": 1}'),
        ('<tool_call>\n{"name": "w", "parameters": {}}\n</tool_call>', "{}"),
        ('{"name": "w"}', ""),
    ],
)
@pytest.mark.parametrize("role", ["function_call", "function-call", "tool_call"])
def test_a_turn_called_a_function_call_is_a_call_of_the_assistant(role: str, text: str, arguments: str) -> None:
    conversation = [
        {"from": "human", "value": "q"},
        {"from": role, "value": text},
        {"from": "observation", "value": "3"},
    ]
    found = found_in({"conversations": [*conversation, {"from": "gpt", "value": "a"}]})
    call = found.conversations[0][1].parts[0]
    assert (found.conversations[0][1].role, call.kind, call.text) == (Role.ASSISTANT, PartKind.TOOL_CALL, arguments)
    assert call.call is not None
    assert (call.call.name, call.call.arguments) == ("w", arguments)
    assert found.conversations[0][2].role is Role.TOOL
    assert found.problems == ()


def test_a_call_that_is_no_json_is_kept_as_text_and_told() -> None:
    found = found_in({"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "look()"}]})
    (call,) = found.conversations[0][1].parts
    assert (call.kind, call.text, call.call) == (PartKind.TOOL_CALL, "look()", None)
    assert "kept as its text" in found.problems[0][1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "thinking", "thinking": "t", "signature": "x"}, {"type": "text", "text": "a"}], "reasoning text"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}], "reasoning"),
        ([{"reasoningContent": {"reasoningText": {"text": "t", "signature": "x"}}}, {"text": "a"}], "reasoning text"),
        ([{"type": "output_text", "text": "a", "annotations": []}], "text"),
        ([{"type": "text", "text": {"value": "a", "annotations": []}}], "text"),
        ([{"type": "text", "value": "a"}], "text"),
        ([{"type": "tool_use", "id": "1", "name": "w", "input": {}}], "tool_call"),
        ([{"type": "tool-call", "toolCallId": "1", "toolName": "w", "args": {}}], "tool_call"),
        ([{"type": "tool_call", "value": '{"name": "w", "arguments": {}}'}], "tool_call"),
        ([{"toolUse": {"toolUseId": "1", "name": "w", "input": {}}}], "tool_call"),
        ([{"functionCall": {"name": "w", "args": {}}}], "tool_call"),
        ([{"type": "refusal", "refusal": "no"}], "text"),
        (["a"], "text"),
    ],
)
def test_a_content_part_is_what_its_type_says(content: list[object], expected: str) -> None:
    found = found_in({"messages": [USER, {"role": "assistant", "content": content}]})
    parts = found.conversations[0][1].parts
    assert " ".join(part.kind.value for part in parts) == expected
    assert all(part.call is None or part.call.name == "w" for part in parts)
    assert found.problems == ()


@pytest.mark.parametrize("part", [{"type": "image_url", "image_url": {"url": "x"}}, {"inlineData": {"data": "x"}}])
def test_parts_that_are_no_text_are_named_with_their_count(part: dict[str, object]) -> None:
    found = found_in({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}, part, part]}, ANSWER]})
    name = part.get("type", "inlineData")
    assert found.problems == ((1, f"Content parts of the type {name!r} were not read. (The same holds 1 times more.)"),)


def test_results_among_what_is_said_are_turns_of_the_tool() -> None:
    parts = [
        {"type": "step-start"},
        {"type": "tool-w", "toolCallId": "1", "state": "output-available", "input": {"x": 1}, "output": {"t": 3}},
        {"type": "text", "text": "a"},
    ]
    found = found_in({"messages": [USER, {"role": "assistant", "parts": parts}]})
    assert turns(found)[1:] == [
        ("assistant", [("tool_call", '{"x": 1}')]),
        ("tool", [("tool_result", '{"t": 3}')]),
        ("assistant", [("text", "a")]),
    ]
    assert (found.conversations[0][2].name, found.conversations[0][2].call_id) == ("w", "1")


def test_a_result_in_a_users_message_is_a_turn_of_the_tool() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "3"}]}
    content = [result, {"type": "text", "text": "And now?"}]
    found = found_in({"messages": [USER, ANSWER, {"role": "user", "content": content}, ANSWER]})
    assert turns(found)[2:4] == [("tool", [("tool_result", "3")]), ("user", [("text", "And now?")])]


def test_a_call_over_one_of_harmonys_channels_joins_the_thought_before_it() -> None:
    found = found_in(
        {
            "messages": [
                USER,
                {"role": "assistant", "channel": "analysis", "content": "t"},
                {"role": "assistant", "channel": "commentary", "recipient": "functions.w", "content": "{}"},
                {"role": "tool", "name": "functions.w", "content": "3"},
                {"role": "assistant", "channel": "final", "content": "a"},
            ]
        }
    )
    assert turns(found)[1] == ("assistant", [("reasoning", "t"), ("tool_call", "{}")])
    assert found.conversations[0][2].name == "w"
    assert [r.turn_index for r in found.responses] == [1, 3]


def test_plain_messages_of_the_assistant_that_follow_each_other_stay_apart() -> None:
    assert [r.text for r in found_in({"messages": [USER, ANSWER, ANSWER]}).responses] == ["a", "a"]


def test_a_summary_in_place_of_reasoning_is_told() -> None:
    item = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}]}
    message = {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    found = found_in({"messages": [USER, item, message]})
    assert turns(found)[1] == ("assistant", [("reasoning", "t"), ("text", "a")])
    assert "summary" in found.problems[0][1]


@pytest.mark.parametrize("spelling", [r"a\r\nb", r"a\u000d\u000Ab", r"a\r\u000ab"])
def test_crlf_in_a_string_is_one_newline(spelling: str) -> None:
    text = f'{{"prompt": "q", "completion": "{spelling}"}}'
    (response,) = readable(text).responses
    source = response.turn.parts[0].source
    assert response.text == "a\nb"
    assert text[source.start_of(1) : source.end_of(1)] == spelling[1:-1]


def test_a_lone_cr_in_a_string_stays() -> None:
    assert found_in({"prompt": "q", "completion": "a\rb\\r\\n"}).responses[0].text == "a\rb\\r\\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('[\n{"prompt": "q", "completion": "a"}, // why\n]', [2, 2]),
        ('// head\n{"prompt": "q", /* x */ "completion": "a"}', [1]),
        ('{"prompt": "q", "completion": "a"},\n{"prompt": "q", "completion": "a"},\n', [1]),
        ('{"prompt": "q",\n "completion": "a"}\n{"prompt": "q",\n "completion": "a"}', []),
    ],
)
def test_near_json_is_read_and_told(text: str, lines: list[int]) -> None:
    found = readable(text)
    assert said(found) in ([("q", "a")], [("q", "a")] * 2)
    assert [line for line, _ in found.problems] == lines


def test_slashes_and_commas_in_strings_are_text() -> None:
    text = '[{"prompt": "q // x,]", "completion": "/* a */,}",},]'
    assert said(readable(text)) == [("q // x,]", "/* a */,}")]


def test_broken_near_json_is_refused_with_its_line() -> None:
    with pytest.raises(TranscriptError, match=r"line 3: .*column"):
        read('{"messages": [ // x\n {"role": "user", "content": "q"},\n {"role": oops}]}', filename="x.json")


def test_records_as_python_prints_them_are_refused_with_their_line() -> None:
    with pytest.raises(TranscriptError, match=r"line 2: .*Python"):
        read("\n{'messages': [{'role': 'user', 'content': 'q'}]}\n", filename="x.jsonl")
    assert read("{'a': 1}", filename="x.json") is None


@pytest.mark.parametrize(
    "text", ['[INST] {"messages": [{"role": "user"}]}', '[a](b) {"messages": [{"role": "user"', "[*x*]"]
)
def test_a_bracket_that_begins_no_json_is_left_to_the_other_formats(text: str) -> None:
    assert read(text, filename="x.md") is None


def test_the_format_that_most_records_are_in_is_chosen() -> None:
    rows = [{"prompt": "q", "completion": "a"}] * 3
    text = "".join(json.dumps(row) + "\n" for row in [{"messages": [USER, ANSWER]}, *rows])
    found = readable(text)
    assert (found.format, len(found.responses), len(found.problems)) == ("prompt-response", 3, 1)


def test_numbers_of_any_length_are_passed_over() -> None:
    found = readable('{"prompt": "q", "completion": "a", "seed": ' + "9" * 10_000 + "}")
    assert said(found) == [("q", "a")]


NAMES = (
    "messages",
    "role",
    "content",
    "conversations",
    "from",
    "value",
    "prompt",
    "input",
    "output",
    "chosen",
    "rejected",
)
values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, 1, "user", "assistant", "gpt", [], {}]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from((*NAMES, "response", "choices", "text", "type")), inner, max_size=5),
    ),
    max_leaves=14,
)


@given(st.lists(values, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_what_is_read_does_not_depend_on_the_quick_look(items: list[object], indent: int | None, lines: bool) -> None:
    text = "\n".join(json.dumps(item) for item in items) if lines else json.dumps(items, indent=indent)
    filename = "x.jsonl" if lines else "x.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_quick_values", lambda *_: [])
        patch.setattr(files, "_is_meant", lambda *_: True)
        wanted = outcome(text, filename)
    got = outcome(text, filename)
    # Where nothing is a record, the slow reader was made to refuse what the quick look turns down.
    assert got == wanted or (got is None and isinstance(wanted, str))


def outcome(text: str, filename: str) -> object:
    try:
        return read(text, filename=filename)
    except TranscriptError as error:
        return str(error)


def test_things_that_have_a_role_and_say_nothing_are_no_messages() -> None:
    assert (
        read(json.dumps([{"role": "user", "name": "Ann"}, {"role": "admin", "name": "Bob"}]), filename="x.json") is None
    )


def test_the_choices_of_a_quiz_are_no_answers() -> None:
    assert read('[{"question": "q", "choices": ["a", "b"], "correct": 0}]', filename="x.json") is None
    assert read('[{"question": "q", "answers": ["a", "b"], "correct": 0}]', filename="x.json") is None


def test_ranked_answers_are_told_apart_by_their_models() -> None:
    answers = [{"answer": "a", "model": "one", "rank": 1}, {"answer": "b", "model": "two", "rank": 2}]
    found = found_in({"prompt": "\n\nHuman: q\n\nAssistant: ", "answers": answers})
    assert [(r.label, r.text, r.context[0].text) for r in found.responses] == [("one", "a", "q"), ("two", "b", "q")]
    assert found.problems == ()


def test_an_answer_without_text_is_told() -> None:
    found = found_in({"messages": [USER, ANSWER], "response": [{"text": "b"}, {"nothing": "c"}]})
    assert any("An answer holds no text" in sentence for _, sentence in found.problems)


def test_many_broken_lines_are_told_with_their_count() -> None:
    text = (json.dumps({"messages": [USER, ANSWER]}) + "\n") * 50 + "{broken\n" * 30
    problems = readable(text, filename="x.jsonl").problems
    assert len(problems) == 21
    assert problems[-1] == (71, "Not JSON, as 9 lines after it; they were left out.")


def test_a_row_of_template_text_keeps_what_the_template_spells() -> None:
    text = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
    (response,) = found_in({"text": text}).responses
    assert (response.text, response.end_marker) == ("a", "<|im_end|>")
    assert response.verbatim_prefix == text[: text.index("a<|im_end|>")]


def test_what_a_server_says_of_its_answer_is_of_no_matter() -> None:
    found = found_in({"status": "completed", "type": "completion", "error": "none", "choices": [{"message": ANSWER}]})
    assert [sentence for _, sentence in found.problems if "was not read" in sentence] == []

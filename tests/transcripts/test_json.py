"""JSON and JSONL: spans of literals, broken lines among good ones, and errors that say where."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import Role, read
from shiftlens.transcripts.json.source import (
    JsonArray,
    JsonNode,
    JsonObject,
    JsonSourceError,
    JsonString,
    decoded,
    parse,
)
from transcripts.transcript_checks import assert_escaped, readable, said

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


def value_of(text: str, node: JsonNode) -> object:
    if isinstance(node, JsonString):
        return decoded(text, node)[0]
    if isinstance(node, JsonArray):
        return [value_of(text, item) for item in node.items]
    if isinstance(node, JsonObject):
        return {name: value_of(text, member) for name, member in node.members.items()}
    return json.loads(node.literal)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_json_is_read_as_the_standard_library_reads_it(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    node = parse(text, 0, len(text))
    assert value_of(text, node) == value
    assert (node.start, node.end) == (0, len(text))


@given(st.text(alphabet='[]{}",:\\untrfalse0123456789.-eE \n\x01é', max_size=20))
def test_json_is_refused_where_the_standard_library_refuses_it(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(JsonSourceError):
            parse(text, 0, len(text))
    else:
        got = value_of(text, parse(text, 0, len(text)))
        assert got == expected or (isinstance(got, float) and math.isnan(got))


def test_a_surrogate_pair_is_one_character_of_twelve() -> None:
    text = r'"a\ud83d\ude00\n"'
    value, source = decoded(text, JsonString(0, len(text)))
    assert value == "a😀\n"
    assert [(source.start_of(i), source.end_of(i)) for i in range(3)] == [(1, 2), (2, 14), (14, 16)]


@pytest.mark.parametrize("literal", [r"\ud83d", r"\ude00", r"\ud83d\ud83d", r"\ud83dx"])
def test_a_lone_surrogate_becomes_the_replacement_character(literal: str) -> None:
    text = f'"{literal}"'
    value, source = decoded(text, JsonString(0, len(text)))
    assert value.encode().decode().startswith("\ufffd")
    assert (source.start_of(0), source.end_of(0)) == (1, 7)


def test_deep_nesting_is_refused_without_a_crash() -> None:
    text = "[" * 1_000_000
    with pytest.raises(JsonSourceError, match="nested"):
        parse(text, 0, len(text))


def row(answer: str) -> str:
    return json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]})


def test_a_bad_line_is_a_problem_and_the_others_are_read() -> None:
    text = f'{row("one")}\r\n\r\n{{"messages": [{{"role": "us\r\n{row("two")}\r\n{{"other": 1}}\n'
    found = readable(text, filename="x.jsonl")
    assert [answer for _, answer in said(found)] == ["one", "two"]
    assert [line for line, _ in found.problems] == [3, 5]
    assert "column" in found.problems[0][1]
    assert_escaped(text, found)


def test_a_jsonl_file_of_broken_lines_only_is_an_error() -> None:
    with pytest.raises(TranscriptError, match=r"line 1: .*JSONL"):
        read(row("one")[:-1] + "\n" + row("two")[:-1] + "\n", filename="x.jsonl")


@pytest.mark.parametrize(
    "start", ['{\n "messages": [\n  {"role": "user", "content": "x', '[\n{"pure_input": "q",\n "output"']
)
def test_a_truncated_json_transcript_is_an_error_with_its_line(start: str) -> None:
    with pytest.raises(TranscriptError, match=f"line {start.count(chr(10)) + 1}: .*column"):
        read(start, filename="x.json")


def test_a_single_pretty_printed_object_in_a_jsonl_file_is_read() -> None:
    text = json.dumps(json.loads(row("one")), indent=2)
    assert said(readable(text, filename="x.jsonl")) == [("q", "one")]


def test_a_tool_call_is_context_but_no_response() -> None:
    messages = [
        {"role": "developer", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "It is 42."},
    ]
    found = readable(json.dumps({"messages": messages}))
    assert len(found.responses) == 1
    roles = [turn.role for turn in found.responses[0].context]
    assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL]


def test_every_assistant_turn_is_a_response_with_what_came_before() -> None:
    rows = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2
    found = readable(json.dumps(rows))
    assert [(r.index, len(r.context)) for r in found.responses] == [(0, 1), (1, 3)]


def test_an_unknown_role_costs_its_turn_and_is_told() -> None:
    odd = row("one").replace("assistant", "robot")
    found = readable(f"{row('two')}\n{odd}\n")
    assert [answer for _, answer in said(found)] == ["two"]
    assert found.problems == ((2, "The role 'robot' is not known; the turn was left out."),)


def test_alpaca_input_follows_the_instruction() -> None:
    found = readable('{"instruction": "Sum", "input": "1 2", "output": "3"}')
    assert said(found) == [("Sum\n1 2", "3")]


def test_just_eval_outputs_are_each_a_response() -> None:
    text = '[{"instruction": "q", "output": ["a", "b"], "generator": "m", "dataset": "d"}]'
    found = readable(text)
    assert (found.format, said(found)) == ("just-eval", [("q", "a"), ("q", "b")])


def test_the_end_of_sequence_literal_is_no_text_of_the_response() -> None:
    text = '[{"pure_input": "q", "input": "<s>[INST] q [/INST] ", "output": ["Hi\\n</s>"], "reference": "N/A"}]'
    response = readable(text).responses[0]
    assert (response.text, response.end_marker) == ("Hi\n", "</s>")
    assert response.verbatim_prefix == "<s>[INST] q [/INST] "
    assert text[response.turn.source_end :].startswith("</s>")


def test_offsets_in_jsonl_count_code_points_of_the_whole_text() -> None:
    text = "\n".join(json.dumps(json.loads(row(f"é😀\n{i}")), ensure_ascii=i % 2 == 0) for i in range(4))
    found = readable(text)
    assert len(found.responses) == 4
    assert_escaped(text, found)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("a\nb", r"a line break stands inside a string, where it is written `\n`, column 15"),
        ("a\r\nb", r"a line break stands inside a string, where it is written `\r\n`, column 15"),
        ("a\tb", r"a tab stands inside a string, where it is written `\t`, column 15"),
    ],
)
@pytest.mark.parametrize(
    "shape", ['{{\n"prompt":   "{}", "completion": "c"}}', '{{"messages": [{{"role": "user",\n"content": "u{}"}}]}}']
)
def test_a_raw_line_break_in_a_string_is_refused_with_its_place_and_remedy(
    shape: str, written: str, reason: str
) -> None:
    with pytest.raises(TranscriptError) as refused:
        read(shape.format(written))
    assert (refused.value.line, reason in str(refused.value)) == (2, True)
    assert "with a JSON library" in refused.value.remedy


def test_a_line_that_a_raw_line_break_cuts_in_two_is_told_why() -> None:
    whole = '{"prompt": "q", "completion": "a"}\n'
    found = readable(whole + '{"prompt": "q", "completion": "a\nb"}\n' + whole)
    assert len(found.responses) == 2
    assert [line for line, _ in found.problems] == [2, 3]
    assert r"the line ends inside a string, where a line break is written `\n`" in found.problems[0][1]

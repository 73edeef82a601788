"""The quick look at JSON: a file of which it says that it is no transcript is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import json_files, read
from shiftlens.transcripts.json_glance import may_hold_records

NAMES = ("messages", "role", "content", "conversations", "from", "value", "pure_input", "input", "output")
names = st.sampled_from((*NAMES, "instruction", "generator", "x"))
values = st.recursive(
    st.sampled_from([None, 1, "user", "assistant", "gpt", [], {}]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
said = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "x"]), "content": values}),
        st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": values}),
        values,
    ),
    max_size=3,
)
records = st.one_of(
    said,
    st.fixed_dictionaries({}, optional={"x": values, "messages": said, "conversations": said}),
    st.dictionaries(names, st.one_of(st.just("text"), values), max_size=7),
)


def outcome(text: str, filename: str) -> object:
    try:
        return read(text, filename=filename)
    except TranscriptError as error:
        return str(error)


@given(
    st.one_of(st.lists(records, max_size=4), records),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from(["", "{", '{"role": 1}\n', "\n]"]),
    st.sampled_from(["x.json", "x.jsonl", "x.md"]),
)
def test_what_is_read_does_not_depend_on_the_quick_look(
    value: object, indent: int | None, as_lines: bool, more: str, filename: str
) -> None:
    lines = value if as_lines and isinstance(value, list) else [value]
    text = "\n".join(json.dumps(line, indent=indent) for line in lines) + more
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_files, "may_hold_records", lambda *_: True)
        wanted = outcome(text, filename)
    assert outcome(text, filename) == wanted


@pytest.mark.parametrize(
    "text", ['{"role": 1, "x": [[], {}]}', '[{"role": 1}, {}]', '{"role": 1}\n{"x": 2}\n', "[1, 2"]
)
def test_json_without_the_names_of_a_record_is_no_transcript(text: str) -> None:
    assert not may_hold_records(text, 0, by_lines="\n" in text)
    assert read(text, filename="x.json") is None


def test_what_the_quick_look_cannot_read_is_left_to_the_reader() -> None:
    deep = '{"role":' * 100_000
    digits = '{"x": ' + "9" * 10_000 + ', "messages": [{"content": "a", "role": "user"}]}'
    assert may_hold_records(deep, 0, by_lines=False)
    assert may_hold_records(digits, 0, by_lines=False)


def test_a_line_may_begin_with_blanks_of_any_kind_that_json_allows() -> None:
    record = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
    text = f"[]\n\r \t{record}\n{record}"
    assert may_hold_records(text, 0, by_lines=True)
    found = read(text, filename="x.jsonl")
    assert found is not None
    assert len(found.responses) == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"role": "user", "messages": []}',
        '{"role": "user", "messages": [{"user": "x", "text": "y"}]}',
        '[{"messages": [{"role": "user"}, {"role": null}]}]',
        '{"from": "x", "value": "y", "conversations": [{"to": "x"}]}',
    ],
)
def test_messages_that_name_no_speaker_are_none(text: str) -> None:
    assert not may_hold_records(text, 0, by_lines=False)
    assert read(text, filename="x.json") is None

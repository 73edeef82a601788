"""No front matter, whatever it holds, ends in anything but a transcript or a message that names its line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import read
from transcripts.transcript_checks import readable, said

CHAT = "User: one\nAssistant: two\n"
NASTY = [
    "!!bool maybe",
    "!!binary '####'",
    "!!python/object/apply:os.system [x]",
    "!!python/name:os.system",
    "!!timestamp x",
    "!!int ''",
    "!!int x",
    "!!float x",
    "!!null x",
    "!!set [a]",
    "!!omap [a]",
    "!!str [a]",
    "!foo bar",
    "2026-99-99",
    "2026-01-01T99:99:99",
    "9" * 5_000,
    "0x",
    "1_",
    ".nan",
    "1e999",
    '"\\U99999999"',
    '"\\xZZ"',
    "{[a]: b}",
    "{{a: b}: c}",
    "? [a]",
    "&a [*a]",
    "*a",
    "{<<: {a: 1}}",
    "{<<: 1}",
    "{a: 1, a: 2}",
    "=",
    "<<",
    "%YAML 99999999999.1",
    "\x00",
    "\u0085",
    "[" * 2_000,
    "|",
    "`",
    "@x",
    "\t",
    "a: b: c",
]


def _told(text: str) -> str | None:
    try:
        read(text)
    except TranscriptError as error:
        return str(error)
    return None


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_front_matter_of_others_is_skipped_whatever_it_holds(value: str, newline: str) -> None:
    text = f"---\ntitle: {value}\nmodel: gpt\nuser: me\n---\n{CHAT}".replace("\n", newline)
    assert said(readable(text)) == [("one", "two")]


@pytest.mark.parametrize("value", NASTY)
def test_a_value_of_ours_is_read_or_named_with_its_line(value: str) -> None:
    told = _told(f"---\ntitle: x\nshiftlens:\n  base: {value}\n---\n{CHAT}")
    assert told is None or re.match(r"line [3456]: ", told)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("!!bool maybe", "`base`.* no bool"),
        ("!!binary YQ==", "`base`.* binary.*quotes"),
        ("2026-01-01", "timestamp.*quotes"),
    ],
)
def test_a_value_of_ours_with_a_tag_is_told_exactly(value: str, why: str) -> None:
    with pytest.raises(TranscriptError, match=f"line 4: .*{why}"):
        read(f"---\ntitle: x\nshiftlens:\n  base: {value}\n---\n{CHAT}")


def test_a_system_prompt_in_the_front_matter_of_another_tool_is_told() -> None:
    found = readable(f"---\nmodel: gpt\nsystem: Be brief.\n---\n{CHAT}")
    assert (said(found), [line for line, _ in found.problems]) == ([("one", "two")], [3])


@pytest.mark.parametrize(
    "body", ["User: one\n---\nAssistant: two\n", "System: s\n---\nUser: one\n---\nAssistant: two\n"]
)
def test_a_conversation_between_rules_is_no_front_matter(body: str) -> None:
    assert said(readable(f"---\n{body}")) == [("one", "two")]


yaml_like = st.lists(
    st.one_of(
        st.sampled_from(
            ["shiftlens:", "  base: ", "title: ", "- ", "? ", ": ", "\n", "  ", "{", "}", "[", "]", "<<: *x"]
        ),
        st.sampled_from(NASTY),
        st.text(max_size=6),
    ),
    max_size=14,
).map("".join)


@given(yaml_like, st.sampled_from(["\n", "\r\n"]))
def test_no_front_matter_makes_reading_fail(block: str, newline: str) -> None:
    told = _told(f"---\n{block}\n---\n{CHAT}".replace("\n", newline))
    assert told is None or ("shiftlens" in block and (told.startswith("line ") or "format" in told))

"""Conversations in YAML: every way to write a text, led back to its characters."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import Transcript, read
from transcripts.talks import fronts
from transcripts.transcript_checks import is_unmarked, readable, said

# What YAML takes as characters; others stand as escapes only.
characters = st.characters(codec="utf-8", exclude_characters="\ufeff\ufffe\uffff")
written = st.text(characters, max_size=12).filter(bool).filter(is_unmarked)


BREAKS = "\n\r\x85\u2028\u2029"


def leads_back(text: str, found: Transcript) -> None:
    """Each character's source, read as a YAML scalar of its style, is the character."""
    for response in found.responses:
        for part in (part for turn in (*response.context, response.turn) for part in turn.parts):
            assert part.source.decoded_length == len(part.text)
            for i, character in enumerate(part.text):
                run = text[part.source.start_of(i) : part.source.end_of(i)]
                folded = character in " \n\u2028\u2029" and bool(set(run) & set(BREAKS)) and not run.strip(" " + BREAKS)
                escaped = len(run) > 1 and run[0] == "\\" and yaml.safe_load(f'"{run}"') == character
                assert run == character or (run, character) == ("''", "'") or folded or escaped


@given(st.lists(st.tuples(written, written), min_size=1, max_size=3), fronts, st.booleans(), st.sampled_from("\"'"))
def test_yaml_is_read_as_its_library_reads_it(
    pairs: list[tuple[str, str]], front: str, unicode: bool, style: str
) -> None:
    rows = [{"role": r, "content": c} for pair in pairs for r, c in zip(("user", "assistant"), pair, strict=True)]
    body = yaml.safe_dump({"messages": rows}, allow_unicode=unicode, default_style=style, width=10**9)
    text = front + body
    found = readable(text)
    assert found.format == "yaml"
    # YAML takes some characters for line breaks, which its library writes as they are.
    contents = [row["content"] for row in yaml.safe_load(body)["messages"]]
    assert said(found) == list(zip(contents[::2], contents[1::2], strict=True))
    leads_back(text, found)


lines_of = st.lists(st.text("ab:#-'\" é😀", max_size=5), min_size=1, max_size=4)
blocks = lines_of.map("\n".join).filter(lambda t: t.strip() and t[0] not in " \n" and not t.endswith("\n"))


@given(blocks, blocks, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["|", "|-", "|+"]))
def test_literal_blocks_are_read_back_exactly(question: str, answer: str, newline: str, style: str) -> None:
    def block(text: str) -> str:
        return f"{style}\n" + "".join(f"    {line}\n" for line in text.split("\n"))

    text = (f"- role: user\n  content: {block(question)}- role: assistant\n  content: {block(answer)}").replace(
        "\n", newline
    )
    found = readable(text, filename="chat.yaml")
    end = "" if style == "|-" else "\n"
    assert said(found) == [(question + end, answer + end)]
    for response in found.responses:
        source = response.turn.parts[0].source
        for i, character in enumerate(response.text):
            run = text[source.start_of(i) : source.end_of(i)]
            assert run == (newline if character == "\n" else character)


def test_plain_text_over_lines_is_folded_to_spaces() -> None:
    text = "- role: user\n  content: one\n    two\n\n    three\n- role: assistant\n  content: 'it''s'\n"
    found = readable(text)
    assert said(found) == [("one two\nthree", "it's")]
    leads_back(text, found)


def test_a_folded_block_is_refused_with_its_line() -> None:
    with pytest.raises(TranscriptError, match=r"line 4: .*folded"):
        read("- role: user\n  content: q\n- role: assistant\n  content: >\n    a\n    b\n")


def test_documents_and_items_are_each_a_conversation_and_the_rest_is_told() -> None:
    one = "messages:\n- {role: user, content: q}\n- {role: assistant, content: a}\n"
    two = "- messages:\n  - role: user\n    content: r\n  - role: assistant\n    content: b\n- other: 1\n"
    found = readable(f"---\n{one}---\n{two}")
    assert said(found) == [("q", "a"), ("r", "b")]
    assert found.problems == ((11, "The item has no list of messages with roles; it was left out."),)


def test_a_system_prompt_beside_messages_and_an_unknown_key() -> None:
    found = readable("system: s\nmessages:\n- {role: user, content: q}\n- {role: assistant, content: a, mood: glad}\n")
    assert [turn.text for turn in found.responses[0].context] == ["s", "q"]
    assert found.problems == ((4, "`mood` was not read."),)


@pytest.mark.parametrize(
    "text",
    [
        "- role: web\n  content: nginx\n- role: db\n  content: postgres\n",
        "messages:\n  greeting: hello\n  role: x\n",
        "- role: &a user\n  content: q\n- role: *a\n  content: b\n",
        "- role: user\n  content: [unclosed\n",
    ],
)
def test_other_yaml_is_left_alone(text: str) -> None:
    assert read(text, filename="x.yaml") is None

"""Turns and conversations of Llama-2, Mistral, URIAL and AlignTDS text."""

from __future__ import annotations

import pytest

from transcripts.transcript_checks import readable, said


def contexts(text: str) -> list[list[str]]:
    return [[turn.text for turn in response.context] for response in readable(text).responses]


@pytest.mark.parametrize("bos", ["", "<s>"])
@pytest.mark.parametrize("gap", [" ", "\n\n", ""])
def test_inst_begins_a_turn_where_decoding_left_out_the_ends(bos: str, gap: str) -> None:
    text = f"{bos}[INST] q [/INST] one{gap}{bos}[INST] r [/INST] two [INST] \n"
    found = readable(text)
    assert said(found) == [("q", "one"), ("r", "two [INST] ")]
    assert contexts(text)[1] == ["q", "one", "r"]
    assert [r.verbatim_prefix for r in found.responses] == [f"{bos}[INST] q [/INST] ", None]


def test_inst_in_an_answer_is_text_where_answers_have_ends_and_is_told() -> None:
    found = readable("[INST] q [/INST] Write\n[INST] x [/INST] y.</s>[INST] r [/INST] b</s>")
    assert said(found) == [("q", "Write\n[INST] x [/INST] y."), ("r", "b")]
    assert [(line, "read as text" in what) for line, what in found.problems] == [(2, True)]


def test_llama2_begins_every_turn_with_a_bos() -> None:
    assert contexts("<s>[INST] q [/INST] a </s><s>[INST] r [/INST] b </s>") == [["q"], ["q", "a", "r"]]


def test_a_bos_begins_a_conversation_where_turns_go_on_without() -> None:
    one = "<s>[INST] q [/INST] a</s>[INST] r [/INST] b</s>"
    found = readable(f"{one}\n{one}")
    assert [r.conversation for r in found.responses] == [0, 0, 1, 1]
    assert found.responses[2].verbatim_prefix == "<s>[INST] q [/INST] "
    assert found.problems == ()


@pytest.mark.parametrize(
    "system",
    [
        "[INST] <<SYS>>\ns\n<</SYS>>\n\n{} [/INST]",
        "[SYSTEM_PROMPT]s[/SYSTEM_PROMPT][INST] {} [/INST]",
        "<<SYS>>\ns\n<</SYS>>\n\n[INST] {} [/INST]",
    ],
)
@pytest.mark.parametrize("end", ["</s>", "\n"])
def test_a_system_prompt_after_an_answer_begins_a_conversation(system: str, end: str) -> None:
    text = f"<s>{system.format('q')} a{end}<s>{system.format('r')} b{end}"
    assert contexts(text) == [["s", "q"], ["s", "r"]]


@pytest.mark.parametrize("bos", ["", "<s>"])
def test_llava_puts_its_system_block_before_the_first_question(bos: str) -> None:
    text = f"{bos}<<SYS>>\nbe brief\n<</SYS>>\n\n[INST] q [/INST] a</s> [INST] r [/INST] b</s> "
    found = readable(text)
    assert [[turn.text for turn in response.context] for response in found.responses] == [
        ["be brief", "q"],
        ["be brief", "q", "a", "r"],
    ]
    assert [(r.text, r.end_marker, r.verbatim_prefix) for r in found.responses] == [
        ("a", "</s>", text[: text.index("a</s>")]),
        ("b", "</s>", text[: text.index("b</s>")]),
    ]
    assert found.problems == ()


def test_a_bos_on_a_line_of_its_own_may_be_either_and_is_told() -> None:
    found = readable("<s>[INST] q [/INST] a </s>\n<s>[INST] r [/INST] b </s>\n")
    assert len(found.conversations) == 1
    assert [line for line, _ in found.problems] == [2]


def block(name: str, text: str) -> str:
    return f"# {name}:\n```\n{text}\n```\n\n"


def test_another_preamble_begins_a_new_conversation() -> None:
    one = (
        "# Instruction\n\nBelow.\n\n"
        + block("Query", "q")
        + block("Answer", "a")
        + block("Query", "r")
        + block("Answer", "b")
    )
    found = readable(one * 2)
    assert [(r.text, r.conversation, r.end_marker) for r in found.responses] == [("b", 0, "```"), ("b", 1, "```")]
    assert contexts(one * 2)[1] == ["# Instruction\n\nBelow.", "q", "a", "r"]


def test_headers_of_the_other_spelling_are_text() -> None:
    answer = "Write:\n# User:\n```\nx\n```"
    found = readable(block("Query", "q") + block("Answer", answer) + block("Query", "r") + block("Answer", "b"))
    assert said(found) == [("q", answer), ("r", "b")]


def test_a_header_out_of_turn_and_a_query_without_an_answer_are_told() -> None:
    found = readable(block("Query", "q") + block("Answer", "a") + block("Answer", "b") + block("Query", "r"))
    assert [line for line, _ in found.problems] == [11, 16]

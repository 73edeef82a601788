"""Vicuna's turns on one line, and rows whose `text` is template text: random conversations are read back exactly."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from transcripts.transcript_checks import assert_escaped, assert_verbatim, decoded, readable, said, texts

# Blanks around a turn are the template's, and its marks are no words of anybody.
words = texts.map(str.strip).filter(lambda text: text and not any(mark in text for mark in ("USER", "ASSISTANT", "<")))
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=3)


@given(pairs, words, st.sampled_from(["", "\ufeff"]), st.sampled_from(["", "<s>"]))
def test_vicunas_turns_are_read_back_exactly(drawn: list[tuple[str, str]], system: str, mark: str, bos: str) -> None:
    first = system.splitlines()[0]
    turns = "".join(f"USER: {question} ASSISTANT: {answer}</s>" for question, answer in drawn)
    text = f"{mark}{bos}{first} USER: q ASSISTANT: a</s>{turns}"
    found = readable(text, format="vicuna")
    assert said(found) == [("q", "a"), *decoded(drawn)]
    assert [response.end_marker for response in found.responses] == ["</s>"] * (len(drawn) + 1)
    assert_verbatim(text, found)


# Newlines of a row are folded twice, as those of JSON and of the text in it: drawn texts have no CR of their own.
plain = words.filter(lambda text: "\r" not in text)


@given(
    st.lists(st.tuples(plain, plain), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["", "\ufeff"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_rows_of_template_text_are_read_back_exactly(
    drawn: list[tuple[str, str]], ascii_only: bool, mark: str, newline: str
) -> None:
    row = "".join(
        f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
        for question, answer in drawn
    ).replace("\n", newline)
    text = mark + json.dumps({"text": row}, ensure_ascii=ascii_only) + "\n"
    found = readable(text, filename="rows.jsonl")
    assert found.format == "template-rows"
    assert said(found) == drawn
    assert_escaped(text, found)

"""Cells of a notebook that are transcripts by themselves are read; the rest is of no matter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.transcripts import read
from transcripts.transcript_checks import assert_escaped, readable, said

Json = dict[str, Any]
CHAT = "User: q\n\nAssistant: a"
words = st.text('ab é😀"\\', min_size=1, max_size=8).map(lambda text: f"x{text}x")


def notebook(*cells: Json) -> Json:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def stream(text: str, name: str = "stdout") -> Json:
    return {"cell_type": "code", "source": "run()", "outputs": [{"output_type": "stream", "name": name, "text": text}]}


@given(
    st.lists(st.lists(st.tuples(words, words), min_size=1, max_size=2), min_size=1, max_size=3),
    st.sampled_from(["markdown", "raw"]),
    st.booleans(),
    st.booleans(),
)
def test_each_cell_that_is_a_transcript_is_a_conversation(
    talks: list[list[tuple[str, str]]], kind: str, as_lines: bool, ascii_only: bool
) -> None:
    texts = ["\n\n".join(f"User: {q}\n\nAssistant: {a}" for q, a in talk) for talk in talks]
    cells = [{"cell_type": kind, "source": lines_of(text) if as_lines else text} for text in texts]
    text = json.dumps(notebook(*cells, {"cell_type": "code", "source": "1"}), ensure_ascii=ascii_only, indent=1)
    found = readable(text, filename="x.ipynb")
    assert (found.format, len(found.conversations), found.problems) == ("notebook", len(talks), ())
    assert said(found) == [pair for talk in talks for pair in talk]
    assert_escaped(text, found)


@pytest.mark.parametrize("chat", [CHAT, "## User\n\nq\n\n## Assistant\n\na", "[INST] q [/INST] a"])
def test_what_a_cell_put_out_may_be_a_transcript(chat: str) -> None:
    shown = {"cell_type": "code", "source": "", "outputs": [{"data": {"text/plain": lines_of(chat)}}]}
    for cell in (stream(chat), shown):
        assert said(readable(json.dumps(notebook(cell)))) == [("q", "a")]


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "code", "source": CHAT, "outputs": []},
        {"cell_type": "markdown", "source": "# Notes\n\nNothing said."},
        {"cell_type": "markdown", "source": [CHAT, 1]},
        stream(CHAT, "stderr"),
    ],
)
def test_a_notebook_without_a_transcript_is_none(cell: Json) -> None:
    assert read(json.dumps(notebook(cell)), filename="x.ipynb") is None


def test_what_is_told_of_a_cell_names_the_line_of_the_file() -> None:
    chat = f"{CHAT}\n\nAssistant: b\n\nUser: r"
    text = json.dumps(notebook({"cell_type": "raw", "source": lines_of(chat)}), indent=1)
    found = readable(text)
    lines = text.split("\n")
    line, what = found.problems[0]
    assert ("out of turn" in what, "Assistant: b" in lines[line - 1]) == (True, True)

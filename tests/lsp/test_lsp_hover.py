"""Hovers are built from plain strings and escaped once, at the end."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shiftlens.lsp.hover import Card, probability, render_markdown, render_plaintext, visible_note
from shiftlens.visible import visible_piece

_HOSTILE = st.text(st.sampled_from("ab.:/@|`*_{}[]()<>#+-!~&;\\$^=\"' \n\r\u202e")) | st.text()
_RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")


@given(_HOSTILE, _HOSTILE, _HOSTILE)
def test_no_token_text_or_note_becomes_anything_but_text(title: str, cell: str, note: str) -> None:
    shown = visible_piece(cell.encode("utf-8", "surrogatepass"))
    said = visible_note(note)
    card = Card(
        f"t{visible_piece(title.encode('utf-8', 'surrogatepass'))}",
        ("fact",),
        (("rank", "base"), ("1", shown)),
        (f"n{said}.",),
    )
    page = _RENDERER.render(render_markdown((card, card)))
    assert not re.search(r"<(?!/?(?:p|strong|em|br|hr|table|thead|tbody|tr|td|th)\b)", page)
    assert [html.unescape(c) for c in re.findall(r"<td>(.*?)</td>", page, re.DOTALL)] == ["1", shown, "1", shown]
    assert html.unescape(re.findall(r"<em>(.*?)</em>", page, re.DOTALL)[0]) == f"n{said}."


def test_plain_text_has_the_same_words_without_markup() -> None:
    card = Card("a|b", ("f*x*",), (("rank", "base"), ("1", "<b>")), ("note",))
    assert render_plaintext((card,)) == "a|b\nf*x*\nrank  base\n1     <b>\nnote"


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "100.00%"), (0.1234, "12.34%"), (0.0, "0.00%"), (3.21e-7, "3.2e-07")]
)
def test_probabilities_keep_their_size(value: float, shown: str) -> None:
    assert probability(value) == shown

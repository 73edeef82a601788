"""Hostile token text stays text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shiftlens.lsp.views.escape import markdown
from shiftlens.text.visible import shorten, visible_piece, visible_text

_RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")
_HOSTILE = st.text(st.sampled_from("abw.:/@|`*_{}[]()<>#+-!~&;\\$^=\"'  \n\r\t\u202e1")) | st.text()


def rendered_text(source: str) -> str:
    tags_gone = re.sub(r"</?(?:p|table|thead|tbody|tr|td|th|strong)>", "", _RENDERER.render(source))
    return html.unescape(tags_gone).strip("\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" the", "␣the"),
        ("a\n\r\tb", "a⏎\\x0d⇥b"),
        ("\x00\x1b\x7f\x85", "\\x00\\x1b\\x7f\\x85"),
        ("\u202eevil\u200b\ufeff", "U+202EevilU+200BU+FEFF"),
        ("\u2028\u2029\xa0", "U+2028U+2029U+00A0"),
        ("\ud800", "U+D800"),
        ("\u0301e\u0301", "U+0301e\u0301"),
        ("日本🙂", "日本🙂"),
    ],
)
def test_what_has_no_shape_is_shown_by_name(text: str, shown: str) -> None:
    assert visible_text(text) == shown


def test_bytes_that_make_no_character_are_shown_as_bytes() -> None:
    assert visible_piece("é🙂".encode()[:3] + b" ok") == "é<0xF0>␣ok"


def test_a_long_token_is_cut_with_an_ellipsis() -> None:
    assert visible_piece(b"abcdef", limit=4) == "abc…"
    assert shorten("abcd", 4) == "abcd"


@given(_HOSTILE)
def test_rendered_markdown_shows_exactly_the_visible_text(text: str) -> None:
    visible = visible_text(text)
    assert rendered_text(f"x {markdown(visible)} x") == f"x {visible} x"


@given(_HOSTILE, _HOSTILE)
def test_no_text_breaks_out_of_its_table_cell(first: str, second: str) -> None:
    left, right = visible_text(first), visible_text(second)
    page = _RENDERER.render(f"| h | h |\n|---|---|\n| {markdown(left)} | {markdown(right)} |")
    cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
    assert [html.unescape(cell) for cell in cells] == [left, right]
    assert not re.search(r"<(?!/?(?:table|thead|tbody|tr|td|th)>)", page)


@pytest.mark.parametrize(
    "attack",
    [
        "[x](command:evil)",
        "![x](http://e)",
        "<img src=x onerror=y>",
        "http://evil.example",
        "www.evil.example",
        "a@b.example",
        "<http://evil.example>",
        "`code`",
        "|",
        "&lt;",
        "**b**",
        "$x$",
        "~~x~~",
    ],
)
def test_no_link_image_or_html_gets_out(attack: str) -> None:
    source = markdown(visible_text(attack))
    page = _RENDERER.render(source)
    assert not re.search(r"<(a|img|code|em|strong|del)\b", page)
    assert html.unescape(re.sub(r"</?p>", "", page)).strip() == visible_text(attack)
    # Linkifiers of other renderers look for these in the source.
    assert not re.search(r"https?:|www\.|@", source)

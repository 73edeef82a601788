"""An analysis as a notebook shows it: coloured, harmless, and without anything that needs to run."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from analysis.test_one_model import analysed, of_file
from report.page_reader import PageReader
from report.test_page import HOSTILE, analysis
from shiftlens.options.pair import PairSpec
from shiftlens.report.notebook import notebook_html

TAGS = {"div", "p", "b", "span", "br"}


def parts_of(html: str) -> list[tuple[str, str]]:
    """The text of each token and its look."""
    spans = PageReader(html).all("span")
    return [(span.text, span.attributes["style"] or "") for span in spans if "title" in span.attributes]


def test_each_token_has_the_look_of_its_class_and_says_its_numbers() -> None:
    html = notebook_html(analysis([b"Great", b" question", b"!\n"], flagged=(0,)))
    (first, shifted), (second, marginal), (third, unshifted), (end, _) = parts_of(html)
    assert [first, second, third, end] == ["Great", " question", "!\n", "■"]
    assert "bold" in shifted
    assert "underline" in shifted
    assert "underline" in marginal
    assert "bold" not in marginal
    assert unshifted == ""
    says = PageReader(html).all("span")[0].attributes["title"] or ""
    assert says.startswith("Great: shifted, boundary, base rank 9 (60.65%), aligned rank 1 (60.65%), ")
    assert says.endswith("the base's first choice ␣the 50.00%, KL 0.250 nats")
    assert "Response 1" in html
    assert "A note." in html


@given(st.text(max_size=30))
def test_no_text_becomes_anything_but_text(text: str) -> None:
    said = (HOSTILE + text).encode("utf-8", "replace")
    pair = PairSpec(base=HOSTILE + text, aligned=HOSTILE)
    plain = PageReader(notebook_html(analysis([b"x", b"y"])))
    html = notebook_html(analysis([said, b"y"], question=HOSTILE + text, pair=pair))
    found = PageReader(html)
    assert [e.tag for e in found.elements] == [e.tag for e in plain.elements]
    assert [sorted(e.attributes) for e in found.elements] == [sorted(e.attributes) for e in plain.elements]
    assert {e.tag for e in found.elements} <= TAGS
    assert {name for e in found.elements for name in e.attributes} <= {"class", "style", "title"}
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", html)


def test_more_than_a_notebook_can_hold_is_left_out_and_told_of() -> None:
    from dataclasses import replace

    one = analysis([b"a", b"b"])
    many = replace(one, responses=tuple(one.responses) * 5)
    html = notebook_html(many, most_positions=7)
    assert html.count("<b>Response 1</b>") == 2
    assert "3 more responses are not shown here" in html
    assert notebook_html(one, most_positions=1).count("<b>Response 1</b>") == 1


def test_scores_of_one_model_alone_are_told_in_the_words_of_a_surprise() -> None:
    html = notebook_html(of_file(analysed()))
    told = PageReader(html).all("p")[0].text
    assert told.startswith("aligned some-model. 5 positions: 33.3% surprising, 33.3% less expected, 33.3% expected")
    assert "surprising, the model's own rank above 3" in told
    says = PageReader(html).all("span")[0].attributes["title"]
    assert says == "a: expected, the model's own rank 1 (60.65%), the model's first choice a 60.65%"
    assert "base" not in html.lower()

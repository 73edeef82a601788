"""Hovers are built from plain strings and escaped once, at the end."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from analysis.hand_made import BASE_END_ID, response, scored, two_vocabularies
from shiftlens.analysis.tokens import token
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.views.build import Known, build_view
from shiftlens.lsp.views.hover import Card, hover_cards, probability, render_markdown, render_plaintext, visible_note
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.columns import SHORTENED_ALIGNED, SHORTENED_BASE, ScoredResponse
from shiftlens.text.trail import Edits
from shiftlens.text.visible import visible_piece
from shiftlens.transcripts.model import Transcript

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
    cells = re.findall(r"<td style=\"text-align:(\w+)\">(.*?)</td>", page, re.DOTALL)
    row = [("right", "1"), ("left", f"\N{EN SPACE}{shown}")]
    assert [(side, html.unescape(text)) for side, text in cells] == [*row, *row]
    assert html.unescape(re.findall(r"<em>(.*?)</em>", page, re.DOTALL)[0]) == f"n{said}."


def test_plain_text_has_the_same_words_without_markup() -> None:
    card = Card("a|b", ("f*x*",), (("rank", "base"), ("1", "<b>")), ("note",))
    assert render_plaintext((card,)) == "a|b\nf*x*\nrank  base\n1     <b>\nnote"


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "100.00%"), (0.1234, "12.34%"), (0.0, "0.00%"), (3.21e-7, "3.2e-07")]
)
def test_probabilities_keep_their_size(value: float, shown: str) -> None:
    assert probability(value) == shown


def test_a_position_with_a_shortened_context_says_which_model_did_not_see_it() -> None:
    scores = scored([b"a", b"b"])
    object.__setattr__(scores, "shortened", bytes([0, SHORTENED_BASE, SHORTENED_BASE | SHORTENED_ALIGNED]))
    first, second, end = (_facts(scores, row) for row in range(3))
    assert "Shortened" not in first
    assert "Shortened context: the base model did not see the beginning of it here" in second
    assert "Shortened context: both models did not see" in end


def _facts(scores: ScoredResponse, row: int, answer: str = "ab") -> str:
    text = "a" * 100 + answer
    one = response(answer)
    transcript = Transcript("labels", "", (one,))
    pair = PairSpec(base="b", aligned="a")
    view = build_view(
        None,
        [Known(scores)],
        version=1,
        text=text,
        transcript=transcript,
        pair=pair,
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )
    analysis = view.results[0].analysis
    assert analysis is not None
    place = Place(view, 0, view.results[0], (token(analysis, row),), Edits.between(text, text))
    (card,) = hover_cards(place, "")
    return render_plaintext((card,))


def test_a_token_that_the_base_model_cuts_otherwise_says_so_and_shows_no_number_that_is_none() -> None:
    texts = [_facts(two_vocabularies(), row, "abc") for row in range(4)]
    assert not any("nan" in text for text in texts)
    assert "KL(aligned || base) – nats" in texts[0]
    assert "Realigned" not in texts[0]
    assert "Base rank 9 (–)" in texts[1]
    assert "Realigned: the base model reads positions 2 to 3 together as 3 tokens" in texts[1]
    assert "Jaccard@10 –" in texts[2]
    assert f"the base model with id {BASE_END_ID}" in texts[3]

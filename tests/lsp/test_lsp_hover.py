"""Hovers are built from plain strings and escaped once, at the end."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from analysis.hand_made import BASE_END_ID, response, two_vocabularies
from analysis.told import CUT, CUT_TEXT, TEXT, TOLD, cut_otherwise, flagged
from shiftlens.analysis.facts import probability
from shiftlens.analysis.tokens import token
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.views.build import build_view
from shiftlens.lsp.views.hover import Card, hover_cards, render_markdown, render_plaintext
from shiftlens.lsp.views.requests import token_answer
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.outcomes import Result
from shiftlens.scores.records import AnyScores
from shiftlens.text.trail import Edits
from shiftlens.text.visible import visible_note, visible_piece
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


@pytest.mark.parametrize("name", TOLD)
def test_a_hover_says_every_fact_of_a_token(name: str) -> None:
    row, sentence = TOLD[name]
    # A line holds several of the numbers, of which the first alone begins with a capital.
    assert sentence[1:] in _facts(flagged().scored, row, TEXT)


@pytest.mark.parametrize("name", CUT)
def test_a_hover_says_every_fact_of_a_token_that_the_base_model_cuts_otherwise(name: str) -> None:
    row, beginning = CUT[name]
    assert beginning[1:] in _facts(cut_otherwise().scored, row, CUT_TEXT)


@pytest.mark.parametrize("name", TOLD)
def test_the_panel_is_sent_every_fact_of_a_token(name: str) -> None:
    row, sentence = TOLD[name]
    place = _place(flagged().scored, row, TEXT)
    answer = json.loads(json.dumps(token_answer(OpenDocument("file:///a", 1, place.analysis.text), place, "utf-16")))
    (one,) = answer["tokens"]
    assert sentence in [fact["sentence"] for fact in one["facts"]]
    assert {fact.keys() == {"kind", "label", "text", "sentence"} for fact in one["facts"]} == {True}


def _facts(scores: AnyScores, row: int, answer: str) -> str:
    (card,) = hover_cards(_place(scores, row, answer), "")
    return render_plaintext((card,))


def _place(scores: AnyScores, row: int, answer: str) -> Place:
    text = "a" * 100 + answer
    one = response(answer)
    transcript = Transcript("labels", "", (one,))
    pair = PairSpec(base="b", aligned="a")
    view = build_view(
        None,
        [Result(scores)],
        version=1,
        text=text,
        transcript=transcript,
        pair=pair,
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )
    analysis = view.results[0].analysis
    assert analysis is not None
    return Place(view, 0, view.results[0], (token(analysis, row),), Edits.between(text, text))


def test_a_token_that_the_base_model_cuts_otherwise_says_so_and_shows_no_number_that_is_none() -> None:
    texts = [_facts(two_vocabularies(), row, "abc") for row in range(4)]
    assert not any("nan" in text for text in texts)
    assert "KL(aligned || base) – nats" in texts[0]
    assert "Realigned" not in texts[0]
    assert "Base rank 9 (–)" in texts[1]
    assert "Realigned: the base model reads positions 2 to 3 together as 3 tokens" in texts[1]
    assert "Jaccard@10 –" in texts[2]
    assert f"the base model with <eot> (id {BASE_END_ID})" in texts[3]

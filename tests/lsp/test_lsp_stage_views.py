"""What a hover and the panel say of a token under several stages."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from analysis.staged import pair
from shiftlens.analysis.stages_at import NOT_YET, StageScores
from shiftlens.analysis.tokens import token
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.documents.store import DocumentAnalysis, ResponseResult
from shiftlens.lsp.views.hover import hover_cards, render_markdown, render_plaintext
from shiftlens.lsp.views.requests import token_answer
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.text.trail import Edits
from shiftlens.text.visible import harmless_name, visible_note
from shiftlens.transcripts.model import Transcript

END: tuple[int, float] = (10, 0.5)
BASE, MOVED = [(10, 0.4), END], [(11, 0.7), END]
LOADED = StageScores("org/sft", pair(BASE, MOVED).pair_scores)
_SIGNS = st.sampled_from("ab.:/@|`*_{}[]()<>#+-!~&;\\$^=\"' \n\r\u202e")
_NAMES, _REASONS = st.text(_SIGNS, min_size=1, max_size=7), st.text(_SIGNS, min_size=1, max_size=50)
_RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")


def place(stages: Sequence[StageScores]) -> Place:
    shown = pair(BASE, BASE)
    result = ResponseResult(shown, stages=tuple(stages))
    text = "a" * 101
    view = DocumentAnalysis(
        version=1,
        text=text,
        transcript=Transcript("labels", "", (shown.response,)),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
        results=(result,),
        paints=(),
    )
    return Place(view, 0, result, (token(shown, 0),), Edits.between(text, text))


def test_each_stage_has_a_row_below_the_table_and_the_first_that_moved_it_is_named() -> None:
    lines = render_plaintext(hover_cards(place([LOADED, StageScores("org/dpo")]), "")).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("stage"))
    assert [re.split(r"\s{2,}", line) for line in lines[at : at + 3]] == [
        ["stage", "model", "rank", "prob."],
        ["1", "org/sft", "1", "70.00%"],
        ["2", "org/dpo", "–", "–"],
    ]
    assert lines[at + 3 : at + 5] == ["First moved by stage 1.", f"Stage 2: {NOT_YET}"]
    assert lines[at - 1].lstrip().startswith("all others")


def test_without_stages_nothing_is_said_of_them() -> None:
    assert "stage" not in render_plaintext(hover_cards(place([]), "")).lower()
    document = OpenDocument("file:///a", 1, "a" * 101)
    (told,) = json.loads(json.dumps(token_answer(document, place([]), "utf-16")))["tokens"]
    assert "stages" not in told


def test_the_panel_is_sent_the_same() -> None:
    document = OpenDocument("file:///a", 1, "a" * 101)
    shown = place([LOADED, StageScores("org/dpo", None, "It can't be loaded.")])
    (told,) = json.loads(json.dumps(token_answer(document, shown, "utf-16"), allow_nan=False))["tokens"]
    rows = told["stages"].pop("rows")
    assert told["stages"] == {"first": 0, "known": True, "sentence": "First moved by stage 1."}
    assert [round(row.pop("prob") or 0, 6) for row in rows] == [0.7, 0]
    nothing: dict[str, object] = {
        "rank": None,
        "rankText": None,
        "moved": None,
        "problem": "It can't be loaded.",
        "notes": [],
    }
    assert rows == [
        {"model": "org/sft", "rank": 1, "rankText": "1", "moved": True, "problem": None, "notes": []},
        {"model": "org/dpo", **nothing},
    ]


def test_the_end_of_a_long_path_is_shown() -> None:
    name = f"/models/{'x' * 80}/checkpoint-400"
    text = render_plaintext(hover_cards(place([replace(LOADED, model=name)]), ""))
    assert name not in text
    assert re.search(r"  …x+/checkpoint-400  ", text)


@given(_NAMES, _REASONS)
def test_no_name_of_a_model_and_no_reason_becomes_anything_but_text(name: str, why: str) -> None:
    cards = hover_cards(place([replace(LOADED, model=name), StageScores("m", None, why)]), "")
    page = _RENDERER.render(render_markdown(cards))
    assert not re.search(r"<(?!/?(?:p|strong|em|br|hr|table|thead|tbody|tr|td|th)\b)", page)
    assert page.count("<table>") == 2
    cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)]
    assert f"\N{EN SPACE}{harmless_name(name)}".rstrip() in [cell.rstrip() for cell in cells]
    assert f"Stage 2: {visible_note(why)}".rstrip() in html.unescape(page)

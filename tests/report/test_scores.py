"""The columns from which a report's script makes a token's card."""

from __future__ import annotations

import json

import pytest

from analysis.hand_made import response, scored, two_vocabularies, whole
from analysis.told import CUT, TOLD, cut_otherwise, flagged
from report.page_reader import PageReader, sentences
from shiftlens.analysis.classify import build
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import ClassifyOptions
from shiftlens.report.page import ReportedFile, render
from shiftlens.report.scores import Pieces, spans_and_scores


def test_two_vocabularies_leave_out_what_is_no_number_and_keep_the_columns_in_step() -> None:
    analysis = build(response("abc"), two_vocabularies(), ClassifyOptions())
    spans, columns = spans_and_scores(analysis, list(tokens(analysis)), whole(analysis), Pieces())
    found = json.loads(json.dumps(columns, allow_nan=False))
    assert [span.flagged for span in spans] == [False, True, True, False]
    told = [" ".join(sentences(found, row)) for row in range(4)]
    assert all("KL(aligned || base) – nats" in row for row in told)
    assert ["Realigned" in row for row in told] == [False, True, True, False]
    base = found["base"]
    assert [surprisal == -1 for surprisal in base["surprisal"]] == [False, True, True, False]
    assert [entropy is None for entropy in base["entropy"]] == [False, False, True, False]
    assert len(base["top"]) == len(base["topSurprisal"]) == base["k"] * 4


@pytest.mark.parametrize("name", TOLD)
def test_a_card_says_every_fact_of_a_token(name: str) -> None:
    row, sentence = TOLD[name]
    page = PageReader(render([ReportedFile("talk.txt", whole(flagged()))]))
    assert sentence in sentences(page.json("scores-1-1"), row)


@pytest.mark.parametrize("name", CUT)
def test_a_card_says_every_fact_of_a_token_that_the_base_model_cuts_otherwise(name: str) -> None:
    row, beginning = CUT[name]
    page = PageReader(render([ReportedFile("talk.txt", whole(cut_otherwise()))]))
    assert any(sentence.startswith(beginning) for sentence in sentences(page.json("scores-1-1"), row))


def test_the_tokens_of_one_character_are_listed_with_each_and_those_of_two_are_not() -> None:
    euro = build(response("\N{EURO SIGN}"), scored([b"\xe2", b"\x82", b"\xac"]), ClassifyOptions())
    _, columns = spans_and_scores(euro, list(tokens(euro)), whole(euro), Pieces())
    assert "Part 2 of 3 of one character: <0xE2>, <0x82>, <0xAC>" in sentences(columns, 1)
    two = build(response("\N{EURO SIGN}" * 2), scored([b"\xe2", b"\x82\xac\xe2", b"\x82\xac"]), ClassifyOptions())
    _, columns = spans_and_scores(two, list(tokens(two)), whole(two), Pieces())
    assert not any("of one character" in sentence for row in range(3) for sentence in sentences(columns, row))

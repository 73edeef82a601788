"""The summary of a corpus is the same from its rows as from the analyses that they are of."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.hand_made import response, scored
from analysis.test_corpus import summed
from shiftlens.analysis.classify import build
from shiftlens.analysis.corpus import Bin
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.cli.main import main
from shiftlens.corpora.output import encoded
from shiftlens.corpora.reading import Found, Place
from shiftlens.corpora.record import scored_row, unscored_row
from shiftlens.corpora.summary import rows_summary_json, summarise_rows
from shiftlens.options.pair import ClassifyOptions, PairSpec
from shiftlens.scores.requests import Requests

PAIR = PairSpec(base="b", aligned="a")


def analysed(text: str, ranks: list[int], turn: int) -> ResponseAnalysis:
    pieces = [b"\xf0\x9f", b"\x98\x80"] if text == "😀" else [letter.encode() for letter in text]
    mask = [1] * len(pieces) + [0] if turn > 1 else []
    scores = scored(pieces, base_ranks=ranks, kl=[0.1 * rank for rank in ranks], boundary=[0], loss_mask=mask)
    return build(replace(response(text), turn_index=turn), scores, ClassifyOptions())


ANALYSES = [
    ("one", analysed("abc", [1, 9, 2, 9], 1)),
    ("two", analysed("😀", [9, 9, 1], 1)),
    ("one", analysed("a" * 40, [0, *[5] * 39, 1], 3)),
]


def found_of(file: str, analysis: ResponseAnalysis) -> Found:
    requests = Requests((analysis.response,), "openai")
    return Found(Place(), file, 1, None, "openai", analysis.response, requests, 0)


def without_js(found: Bin) -> Bin:
    return replace(found, with_js=0, mean_js=0.0, mean_kl=round(found.mean_kl, 5) if found.with_kl else 0.0)


def test_rows_sum_up_to_what_their_analyses_sum_up_to() -> None:
    rows = [scored_row(found_of(file, analysis), PAIR, analysis) for file, analysis in ANALYSES]
    found = summarise_rows(rows).corpus
    expected = summed((file, PAIR, analysis) for file, analysis in ANALYSES)
    assert found.whole == expected.whole
    assert (found.by_turn, found.by_file, found.by_pair) == (expected.by_turn, expected.by_file, expected.by_pair)
    assert found.tokens == expected.tokens
    assert list(map(without_js, found.by_tenth)) == list(map(without_js, expected.by_tenth))
    assert list(map(without_js, found.by_position)) == list(map(without_js, expected.by_position))


def test_the_curve_of_js_is_the_mean_of_what_is_known() -> None:
    rows = [scored_row(found_of(file, analysis), PAIR, analysis) for file, analysis in ANALYSES]
    first = summarise_rows(rows).corpus.by_position[0]
    known = [value for row in rows if (value := row.tokens.js_at_least[0]) is not None]
    assert (first.with_js, first.mean_js) == (3, sum(known) / 3)
    assert math.isnan(summed([]).by_tenth[0].mean_js)


def test_responses_without_scores_are_counted_beside() -> None:
    file, analysis = ANALYSES[0]
    found = found_of(file, analysis)
    rows = [unscored_row(found, PAIR, "refused", "No."), unscored_row(found, PAIR, "not_scored", "By choice.")]
    summary = summarise_rows([*rows, scored_row(found, PAIR, analysis)])
    assert (summary.responses, summary.refused, summary.not_scored, summary.corpus.whole.tokens) == (3, 1, 1, 4)


def test_the_json_names_a_token_that_is_no_character_by_its_bytes() -> None:
    rows = [scored_row(found_of(file, analysis), PAIR, analysis) for file, analysis in ANALYSES]
    tokens = rows_summary_json(summarise_rows(rows), ["out.jsonl"], 10)["tokens"]
    assert isinstance(tokens, list)
    assert tokens[0] == {"text": "a", "said": 40, "shifted": 39, "ratio": 39 / 40}
    assert {token["bytes"] for token in tokens[1:] if "bytes" in token} == {"f09f", "9880"}


def test_the_table_shows_no_share_where_no_position_has_a_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    analysis = analysed("ab", [0, 0, 1], 0)
    (tmp_path / "out.jsonl").write_bytes(encoded(scored_row(found_of("one", analysis), PAIR, analysis)))
    assert main(["corpus-summary", str(tmp_path / "out.jsonl")]) == 0
    cells = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["all", "3", "100.0%", "0.0%", "0.0%", "2"] in cells
    assert ["1", "0", "–", "–", "–"] in [line[:5] for line in cells]

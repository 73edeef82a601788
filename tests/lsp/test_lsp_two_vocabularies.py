"""What the client is told of a token of a pair of two vocabularies."""

from __future__ import annotations

import json

from analysis.hand_made import response, two_vocabularies, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.facts import facts
from shiftlens.analysis.tokens import tokens
from shiftlens.lsp.views.requests import _token
from shiftlens.lsp.views.token_table import token_rows
from shiftlens.options.pair import ClassifyOptions


def test_a_token_of_both_models_has_one_id_and_one_of_a_group_has_none_on_the_base_side() -> None:
    analysis = build(response("abc"), two_vocabularies(), ClassifyOptions())
    of = whole(analysis)
    told = [
        json.loads(json.dumps(_token(item, facts(item, analysis, of.transcript, of.score_options)), allow_nan=False))
        for item in tokens(analysis)
    ]
    assert [token["base"]["id"] == token["id"] for token in told] == [True, False, False, False]
    assert [token["base"]["id"] for token in told[1:3]] == [None, None]
    assert [token["realigned"] is None for token in told] == [True, False, False, True]
    assert {token["kl"] for token in told} == {None}
    assert told[0]["baseRankOfAlignedTop"] is None
    # Candidates are named by the base model's own ids.
    assert [candidate["id"] for candidate in told[0]["base"]["top"]] == [70, 71]


def test_heat_has_no_value_where_there_is_no_number() -> None:
    analysis = build(response("abc"), two_vocabularies(), ClassifyOptions())
    rows = list(token_rows(analysis))
    assert all(row.kl != row.kl for row in rows)
    assert [row.base_prob != row.base_prob for row in rows] == [False, True, True]

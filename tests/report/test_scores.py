"""The columns from which a report's script makes a token's card."""

from __future__ import annotations

import json

from analysis.hand_made import response, two_vocabularies
from shiftlens.analysis.classify import build
from shiftlens.options.pair import ClassifyOptions
from shiftlens.report.scores import Pieces, spans_and_scores


def test_two_vocabularies_leave_out_what_is_no_number_and_keep_the_columns_in_step() -> None:
    pieces = Pieces()
    analysis = build(response("abc"), two_vocabularies(), ClassifyOptions())
    spans, columns = spans_and_scores(analysis, pieces)
    found = json.loads(json.dumps(columns, allow_nan=False))
    assert [span.flagged for span in spans] == [False, True, True, False]
    assert found["kl"] == [None] * 4
    assert found["topRank"] == [None, 1, None, 1]
    assert [words is None for words in found["realigned"]] == [True, False, False, True]
    base = found["base"]
    assert [surprisal is None for surprisal in base["surprisal"]] == [False, True, True, False]
    assert [entropy is None for entropy in base["entropy"]] == [False, False, True, False]
    assert len(base["top"]) == len(base["topSurprisal"]) == base["k"] * 4

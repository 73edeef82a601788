"""A file under several base contexts: which positions change their class, and the JSON of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from jsonschema import Draft202012Validator

from analysis.hand_made import response, scored, two_vocabularies, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.contexts import OTHER_TOKENS, FileContexts, contexts_of_file
from shiftlens.analysis.contexts_contract import SCHEMA, schema, to_json
from shiftlens.analysis.json_values import error_json
from shiftlens.analysis.model import Analysis
from shiftlens.errors import TranscriptError
from shiftlens.options.pair import ClassifyOptions, ScoreOptions
from shiftlens.scores.records import ScoredResponse


def under(context: str, scores: ScoredResponse, text: str) -> Analysis:
    return whole(build(response(text), scores, ClassifyOptions()), ScoreOptions(base_context=context))


def under_both(first: list[int], second: list[int]) -> FileContexts:
    """Of "é" as two tokens and the end, with these base ranks under two contexts."""
    pieces = [b"\xc3", b"\xa9"]
    analyses = [
        under(name, scored(pieces, base_ranks=ranks), "é") for name, ranks in (("raw", first), ("chat", second))
    ]
    return contexts_of_file(["plain", "chat"], analyses, [(), ()])


def as_json(found: FileContexts) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(to_json(found, "a.txt", not_scored=[4]), allow_nan=False))
    Draft202012Validator(schema()).validate(read)
    return read


def test_the_positions_whose_class_is_not_the_same_under_all_are_told() -> None:
    found = under_both([1, 2, 9], [1, 7, 8])
    (compared,) = found.responses
    assert [row.changes for row in compared.rows] == [False, True, False]
    assert [row.index for row in compared.changed] == [1]
    assert [given.rank for given in compared.rows[1].given] == [2, 7]
    assert [summary.shifted for summary in compared.summaries] == [1, 2]
    assert [summary.shifted for summary in found.summaries] == [1, 2]


def test_a_class_that_can_not_be_told_is_no_change() -> None:
    (compared,) = under_both([1, 0, 9], [1, 7, 0]).responses
    assert compared.changed == ()


def test_the_json_has_each_position_under_each_context() -> None:
    read = as_json(under_both([1, 2, 9], [1, 7, 0]))
    assert read["contexts"] == [
        {"name": "plain", "base_context": "raw"},
        {"name": "chat", "base_context": "chat"},
    ]
    (compared,) = read["responses"]
    assert [token["changes"] for token in compared["tokens"]] == [False, True, False]
    assert compared["tokens"][1]["bytes"] == "a9"
    assert [given["class"] for given in compared["tokens"][2]["contexts"]] == ["shifted", None]
    assert (read["changed"], compared["changed"], compared["summaries"][1]["unknown"]) == (1, 1, 1)
    Draft202012Validator(schema()).validate(error_json(SCHEMA, "a.txt", TranscriptError("No.", line=3)))


def test_two_vocabularies_have_ranks_of_groups_and_no_kl() -> None:
    analyses = [under(name, two_vocabularies(), "abc") for name in ("raw", "chat")]
    read = as_json(contexts_of_file(["raw", "chat"], analyses, [(), ()]))
    assert [token["contexts"][0]["kl"] for token in read["responses"][0]["tokens"]] == [None] * 4
    assert read["responses"][0]["tokens"][1]["contexts"][0]["prob"] is None


def test_what_has_no_scores_under_one_context_or_other_tokens_is_not_compared() -> None:
    first = under("raw", scored([b"a", b"b"]), "ab")
    none = dataclasses.replace(first, responses=())
    found = contexts_of_file(["raw", "chat"], [first, none], [(), [(0, "No room.")]])
    assert (found.responses, found.not_compared) == ((), ((0, (1,), "No room."),))
    other = under("chat", scored([b"ab"]), "ab")
    found = contexts_of_file(["raw", "chat"], [first, other], [(), ()])
    assert (found.responses, found.not_compared) == ((), ((0, (0, 1), OTHER_TOKENS),))
    as_json(found)

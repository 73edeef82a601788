"""A file under several tuned models: which responses can be compared, and the JSON of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from analysis.hand_made import response, scored, side, two_vocabularies, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.json_values import error_json
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.stages_contract import SCHEMA, schema, to_json
from shiftlens.analysis.stages_of_file import FileStages, NotCompared, stages_of_file
from shiftlens.errors import TranscriptError
from shiftlens.options.pair import ClassifyOptions, PairSpec
from shiftlens.scores.records import ScoredResponse


def under(name: str, scores: ScoredResponse, text: str) -> Analysis:
    found = whole(build(response(text), scores, ClassifyOptions()))
    return dataclasses.replace(found, pair=PairSpec(base="base", aligned=name))


def as_json(found: FileStages) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(to_json(found, "a.txt", not_scored=[4]), allow_nan=False))
    return read


def assert_fits(found: object) -> None:
    Draft202012Validator(schema()).validate(found)


def two_stages() -> FileStages:
    moved = side(3, tops=[[11, 10], [10, 11], [2, 10]])
    pieces = [b"\xc3", b"\xa9"]
    stages = [under("sft", scored(pieces), "é"), under("dpo", scored(pieces, aligned=moved), "é")]
    return stages_of_file(stages, [(), ()], 0.1)


def test_the_json_has_each_stage_of_each_position_and_who_was_first() -> None:
    found = as_json(two_stages())
    assert_fits(found)
    assert found["models"] == {"base": "base", "stages": ["sft", "dpo"]}
    (compared,) = found["responses"]
    assert [token["first"] for token in compared["tokens"]] == [1, None, 1]
    assert [token["known"] for token in compared["tokens"]] == [True] * 3
    assert compared["tokens"][1]["bytes"] == "a9"
    assert compared["tokens"][2]["end_of_response"] is True
    assert compared["tokens"][2]["stages"][1]["choice"]["end_of_response"] is True
    summary = {"positions": 3, "moved_by": [0, 2], "shares": [0, 2 / 3], "unmoved": 1, "unknown": 0}
    assert compared["summary"] == found["summary"] == summary


def test_what_is_not_known_is_null_in_the_json() -> None:
    stages = [under(name, two_vocabularies(), "abc") for name in ("sft", "dpo")]
    found = as_json(stages_of_file(stages, [(), ()], 0.1))
    assert_fits(found)
    token = found["responses"][0]["tokens"][1]
    assert (token["first"], token["known"]) == (None, False)
    assert (token["base"]["prob"], token["base"]["choice"]) == (None, None)
    assert [stage["moved"] for stage in token["stages"]] == [None, None]


def test_a_response_that_a_stage_has_no_scores_of_is_not_compared_and_says_why() -> None:
    without = dataclasses.replace(under("rl", scored([b"a"]), "a"), responses=())
    stages = [under("sft", scored([b"a"]), "a"), without, without]
    found = stages_of_file(stages, [(), [(0, "Too long.")], [(0, "Too long.")]], 0.1)
    assert found.responses == ()
    assert found.not_compared == (NotCompared(0, (1, 2), "Too long."),)
    assert_fits(as_json(found))


def test_a_stage_of_other_tokens_is_told_and_nothing_is_compared_there() -> None:
    stages = [under("sft", scored([b"ab", b"c"]), "abc"), under("dpo", scored([b"a", b"bc"]), "abc")]
    found = stages_of_file(stages, [(), ()], 0.1)
    (told,) = found.not_compared
    assert (told.index, told.stages) == (0, (1,))
    assert "other tokens" in told.message
    assert found.summary.positions == 0
    assert_fits(as_json(found))


def test_a_file_without_an_analysis_is_as_the_schema_says() -> None:
    assert_fits(error_json(SCHEMA, "a.txt", TranscriptError("No.", line=3)))


def objects_of(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for value in part.values():
            yield from objects_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from objects_of(value)


def test_the_schema_is_a_schema_and_leaves_no_object_open() -> None:
    Draft202012Validator.check_schema(schema())
    every = list(objects_of(schema()))
    assert len(every) > 8
    assert all(part["additionalProperties"] is False for part in every)


@pytest.mark.parametrize("change", [{"more": 1}, {"first": -1}, {"known": None}])
def test_a_token_that_is_not_of_the_contract_does_not_fit(change: dict[str, Any]) -> None:
    found = as_json(two_stages())
    found["responses"][0]["tokens"][0].update(change)
    assert not Draft202012Validator(schema()).is_valid(found)

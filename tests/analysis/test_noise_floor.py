"""The noise floor: what it is, what lies within it, and the JSON of it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analysis.hand_made import BASE_END_ID, END_ID, floats, response, scored, side, two_vocabularies, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.json_values import error_json
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.noise_floor import (
    FileNoise,
    Inside,
    Moved,
    is_within,
    noise_of_file,
    quantile,
    without_noise,
)
from shiftlens.analysis.noise_floor_contract import SCHEMA, schema, to_json
from shiftlens.errors import ModelError
from shiftlens.options.pair import ClassifyOptions

NUMBERS = st.lists(st.floats(min_value=0, max_value=9), min_size=1)


def analysis(
    base: Sequence[float], aligned: Sequence[float], kl: Sequence[float], ranks: Sequence[int]
) -> ResponseAnalysis:
    """Of "abc" and its end, with these logprobs of the tokens."""
    sides = [
        dataclasses.replace(side(4, ranks=own, end_id=end), logprob=floats(logprobs))
        for own, end, logprobs in ((ranks, BASE_END_ID, base), ([1] * 4, END_ID, aligned))
    ]
    scores = scored([b"a", b"b", b"c"], base=sides[0], aligned=sides[1], kl=kl)
    return build(response("abc"), scores, ClassifyOptions())


REAL = analysis([-1, -1, -9, -1], [-1, -1.25, -1, -1.75], [0, 0.25, 4, 0.25], [1, 9, 9, 2])
NOISE = analysis([-1, -1, -1, -2], [-1, -1.5, -1, -1], [0, 0.5, 0, 0.25], [1, 1, 1, 1])


def measured() -> FileNoise:
    return noise_of_file([REAL], [NOISE], ("float32", "bfloat16"))


@given(NUMBERS)
def test_the_floor_is_the_smallest_number_that_so_many_do_not_exceed(values: list[float]) -> None:
    found = quantile(values, 0.95)
    assert found in values
    assert sum(value <= found for value in values) >= 0.95 * len(values)
    assert sum(value < found for value in values) < 0.95 * len(values)


def test_without_numbers_there_is_no_floor() -> None:
    assert math.isnan(quantile([]))
    assert quantile([math.nan, 2.0]) == 2.0


def test_a_position_is_within_the_floor_where_both_its_differences_are() -> None:
    floor = Moved(0.5, 0.25)
    assert is_within(Moved(0.5, 0.25), Moved(0, 0), floor) is True
    assert is_within(Moved(0.75, 0), Moved(0, 0), floor) is False
    assert is_within(Moved(0, 0.5), Moved(0, 0), floor) is False
    assert is_within(Moved(0.75, 0.5), Moved(0.75, 0.5), floor) is True
    assert is_within(Moved(0, math.nan), Moved(0, 0), floor) is True
    assert is_within(Moved(math.nan, 0), Moved(0, 0), floor) is None
    assert is_within(Moved(0, 0), Moved(math.nan, math.nan), Moved(math.nan, math.nan)) is None


def test_the_floor_is_of_the_aligned_model_beside_itself_and_holds_for_the_real_pair() -> None:
    found = measured()
    assert (found.floor, found.measured) == (Moved(1.0, 0.5), 4)
    (response,) = found.responses
    assert [position.within for position in response.positions] == [True, True, False, True]
    assert [position.real.logprob for position in response.positions] == [0, 0.25, 8, 0.75]
    assert found.of_class(ShiftClass.SHIFTED) == Inside(2, 1, 0)
    assert found.of_class(ShiftClass.SHIFTED).beyond == 1


def test_only_what_would_be_coloured_loses_its_class() -> None:
    (response,) = measured().responses
    classes = [ShiftClass(value) for value in without_noise(response).classes]
    assert classes == [ShiftClass.UNSHIFTED, ShiftClass.UNKNOWN, ShiftClass.SHIFTED, ShiftClass.UNKNOWN]


def test_identical_models_have_nothing_beyond_the_floor() -> None:
    same = analysis([-1, -9, -9, -1], [-1, -9, -9, -1], [0] * 4, [1, 9, 9, 9])
    for noise in (NOISE, same):
        found = noise_of_file([same], [noise], ("float32", "bfloat16"))
        assert found.of_class(ShiftClass.SHIFTED) == Inside(3, 3, 0)


def test_what_has_no_numbers_in_both_is_told() -> None:
    assert noise_of_file([REAL], [], ("a", "b"), [(0, "No room.")]).not_measured == ((0, "No room."),)
    other = build(response("ab"), scored([b"a", b"b"]), ClassifyOptions())
    found = noise_of_file([REAL], [other], ("a", "b"))
    assert found.responses == ()
    assert "not the same" in found.not_measured[0][1]
    apart = build(response("abc"), two_vocabularies(), ClassifyOptions())
    assert "not the same" in noise_of_file([apart], [apart], ("a", "b")).not_measured[0][1]


def test_a_file_that_begins_the_turn_otherwise_has_no_noise_and_that_is_told() -> None:
    base = dataclasses.replace(NOISE.pair_scores.base, prefix_ids=(7, 7))
    given_otherwise = dataclasses.replace(NOISE, scored=dataclasses.replace(NOISE.pair_scores, base=base))
    found = noise_of_file([REAL], [given_otherwise], ("float32", "a.gguf"))
    assert found.responses == ()
    assert "two chat templates" in found.not_measured[0][1]


def test_notes_of_either_scoring_are_told_once() -> None:
    def noted(analysis: ResponseAnalysis, *notes: str) -> ResponseAnalysis:
        scores = analysis.pair_scores
        told = dataclasses.replace(scores, comparison=dataclasses.replace(scores.comparison, notes=notes))
        return dataclasses.replace(analysis, scored=told)

    found = noise_of_file([noted(REAL, "Both.", "Real.")], [noted(NOISE, "Both.", "Noise.")], ("a", "b"))
    assert found.responses[0].notes == ("Both.", "Real.", "Noise.")


def as_json(found: FileNoise, real: ResponseAnalysis) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(to_json(found, whole(real), "a.txt", not_scored=[3]), allow_nan=False))
    Draft202012Validator(schema()).validate(read)
    return read


def test_the_json_has_the_noise_of_each_position() -> None:
    read = as_json(measured(), REAL)
    assert read["floor"] == {"quantile": 0.95, "logprob": 1.0, "kl": 0.5, "positions": 4}
    (response,) = read["responses"]
    assert [token["withinFloor"] for token in response["tokens"]] == [True, True, False, True]
    assert response["tokens"][1]["noise"] == {"logprob": 0.5, "kl": 0.5}
    assert read["summary"]["shifted"] == {"positions": 2, "within": 1, "beyond": 1, "unknown": 0}
    Draft202012Validator(schema()).validate(error_json(SCHEMA, "a.txt", ModelError("No.")))


def test_what_is_not_known_of_two_vocabularies_is_null() -> None:
    real = build(response("abc"), two_vocabularies(), ClassifyOptions())
    own = build(response("abc"), scored([b"a", b"b", b"c"], kl=[0.1] * 4), ClassifyOptions())
    read = as_json(noise_of_file([real], [own], ("float32", "bfloat16")), real)
    within = [token["withinFloor"] for token in read["responses"][0]["tokens"]]
    assert within == [True, None, None, True]
    assert read["responses"][0]["tokens"][1]["real"] == {"logprob": None, "kl": None}

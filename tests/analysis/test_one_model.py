"""Scores of one model alone: what every view says of them, and what none of them says."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re

import pytest
from jsonschema import Draft202012Validator

from analysis.hand_made import floats, ints, response, scored, side, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.contract import to_json
from shiftlens.analysis.facts import facts
from shiftlens.analysis.highlights import highlights
from shiftlens.analysis.model import SAVED_TOO, Analysis, ResponseAnalysis, ShiftClass
from shiftlens.analysis.schema import schema
from shiftlens.analysis.tokens import tokens
from shiftlens.analysis.vocabulary import vocabulary_shift
from shiftlens.cli.paint import painter, print_analysis
from shiftlens.options.pair import FROM_FILE, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.report.page import ReportedFile, render
from shiftlens.scores.outcomes import size_of
from shiftlens.scores.records import OneModelScores
from shiftlens.transcripts.model import SavedKind, SavedLogprobs

NO_NUMBERS_OF_A_PAIR = re.compile(r"\bbase\b|KL\(|Jaccard|aligned model", re.IGNORECASE)


def alone(*, model: str = "some-model") -> OneModelScores:
    """Of "abcd" with an end: ranks 1, 2, above 2, unknown, and 9 for the end; ids that nobody knows but the last."""
    own = side(5, ranks=[1, 2, -2, 0, 9], pieces=[b"a", b"b", b"c", b"d"])
    return OneModelScores(
        model_name=model,
        aligned=dataclasses.replace(
            own,
            prefix_text="",
            prefix_ids=(),
            ids=ints([-2, -3, -4, -5, 2]),
            entropy=b"",
            k=2,
            top_ids=ints([-2, -3, -2, -3, -2, -3, -2, -1, -2, -3]),
            top_logprobs=floats([-0.5, -1.5, -0.5, -1.5, -0.5, -1.5, -0.5, 0, -0.5, -1.5]),
            logprob=floats([-0.5, -1.5, -3.0, math.nan, -4.0]),
            pieces={-2: b"a", -3: b"b", -4: b"c", -5: b"d", 2: b"</s>"},
        ),
        notes=("A note on the model.",),
    )


def analysed(scores: OneModelScores | None = None, options: ClassifyOptions | None = None) -> ResponseAnalysis:
    return build(response("abcd"), scores or alone(), options or ClassifyOptions())


def of_file(found: ResponseAnalysis) -> Analysis:
    return dataclasses.replace(whole(found), pair=PairSpec(base="", aligned=""), scores=FROM_FILE)


@pytest.mark.parametrize("classify_by", ["response", "aligned-top1"])
def test_the_class_follows_the_models_own_rank_as_far_as_it_is_known(classify_by: str) -> None:
    found = analysed(options=ClassifyOptions(classify_by=classify_by))
    expected = [ShiftClass.UNSHIFTED, ShiftClass.MARGINAL, ShiftClass.UNKNOWN, ShiftClass.UNKNOWN, ShiftClass.SHIFTED]
    assert [token.shift for token in tokens(found)] == expected
    assert (found.summary.shifted, found.summary.unknown, found.summary.flagged) == (1, 2, 0)
    assert [item.shift for item in highlights(found)] == expected[:4]


def test_the_words_for_classes_are_those_of_a_surprise() -> None:
    labels = [token.label for token in tokens(analysed())]
    assert labels == ["expected", "less expected", "unknown", "unknown", "surprising"]


def test_no_fact_is_told_of_a_model_that_there_is_not() -> None:
    found = analysed()
    told = [fact.sentence for token in tokens(found) for fact in facts(token, found, whole(found).transcript, OPTIONS)]
    assert told[0] == "The model's own rank 1 (60.65%)"
    assert "The model's own rank above 2 (4.98%)" in told
    assert "The model's own rank unknown (–)" in told
    assert not [sentence for sentence in told if NO_NUMBERS_OF_A_PAIR.search(sentence)]


OPTIONS = ScoreOptions()


def test_the_json_has_nulls_for_what_is_not_had_and_fits_the_schema() -> None:
    found = json.loads(json.dumps(to_json(of_file(analysed()), "a.json"), allow_nan=False))
    Draft202012Validator(schema()).validate(found)
    assert found["models"] == {"base": None, "aligned": {"name": "some-model"}}
    assert found["settings"]["scores"] == "saved"
    assert found["settings"]["base_context"] is found["settings"]["device"] is None
    (one,) = found["responses"]
    assert (one["model"], one["classes_by"]) == ("some-model", "own-rank")
    assert one["prefix"] == {"base": None, "aligned": None}
    first, _, bounded, unknown, end = one["tokens"]
    for name in ("base", "boundary", "special", "base_rank_of_aligned_top", "kl", "jaccard@10"):
        assert first[name] is None
    assert (first["id"], first["aligned"]["rank"], first["off_greedy"]) == (None, 1, False)
    assert [candidate["id"] for candidate in first["aligned"]["top"]] == [None, None]
    assert (bounded["aligned"]["rank"], bounded["aligned"]["rank_above"], bounded["off_greedy"]) == (None, 2, True)
    assert (unknown["class"], unknown["aligned"]["logprob"], unknown["off_greedy"]) == (None, None, None)
    assert (end["id"], end["end_of_response"]) == (2, True)


def test_a_model_that_nobody_names_is_null_in_the_json() -> None:
    found = json.loads(json.dumps(to_json(of_file(analysed(alone(model=""))), "a.json"), allow_nan=False))
    Draft202012Validator(schema()).validate(found)
    assert found["models"] == {"base": None, "aligned": None}
    assert found["responses"][0]["model"] is None


def test_the_schema_lets_no_scores_of_a_pair_have_a_side_missing() -> None:
    found = json.loads(json.dumps(to_json(of_file(analysed()), "a.json"), allow_nan=False))
    del found["responses"][0]["classes_by"], found["responses"][0]["model"]
    assert list(Draft202012Validator(schema()).iter_errors(found))


def test_the_terminal_says_whose_ranks_they_are_and_nothing_of_a_base_model() -> None:
    out = io.StringIO()
    print_analysis(painter(out, "never"), "a.json", of_file(analysed()))
    said = out.getvalue()
    assert "model some-model" in said
    assert "surprising" in said
    assert "A note on the model." in said
    assert not NO_NUMBERS_OF_A_PAIR.search(said)
    assert "shifted" not in said


def test_the_report_has_one_side_and_its_own_words_for_classes() -> None:
    page = render([ReportedFile("a.json", of_file(analysed()))])
    body = page[page.index("<body>") : page.index("<script>")]
    assert not NO_NUMBERS_OF_A_PAIR.search(re.sub(r'"base":null', "", body))
    assert ">surprising</span>" in body
    (columns,) = (json.loads(each) for each in re.findall(r'id="scores-1-1">(.*?)</script>', body))
    assert columns["alone"] is True
    assert columns["base"] is None
    assert columns["aligned"]["surprisal"][3] == -1


def test_scores_of_one_model_take_no_part_in_what_takes_two() -> None:
    found = vocabulary_shift([("a.json", analysed())])
    assert (found.positions, found.left_out, found.tokens) == (0, 5, ())
    assert size_of(alone()) > 0


@pytest.mark.parametrize(("kind", "told"), [(SavedKind.CHAT, True), (SavedKind.NUMBERS, False)])
def test_scores_of_a_pair_say_that_the_file_holds_logprobs_that_can_be_shown(kind: SavedKind, *, told: bool) -> None:
    one = response("a")
    one = dataclasses.replace(one, turn=dataclasses.replace(one.turn, saved=(SavedLogprobs(kind, ("[]",)),)))
    assert (SAVED_TOO in build(one, scored([b"a"]), ClassifyOptions()).notes) == told
    assert SAVED_TOO not in build(one, alone_of_one(), ClassifyOptions()).notes


def alone_of_one() -> OneModelScores:
    own = dataclasses.replace(side(2, pieces=[b"a"]), prefix_ids=())
    return OneModelScores(model_name="m", aligned=own)

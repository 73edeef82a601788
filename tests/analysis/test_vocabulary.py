"""Which tokens alignment promotes and suppresses, over all candidates that were kept."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import BASE_END_ID, END_ID, floats, response, scored, side, two_vocabularies
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.vocabulary import TokenShift, VocabularyShift, vocabulary_shift
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.records import ScoredResponse

Lists = list[dict[int, float]]
SURE, SKY, THE = 20, 21, 22
PIECES = {SURE: b"Sure", SKY: b"Sky", THE: b" the", 30: b"30", 31: b"31"}


def analysed(
    base: Lists, aligned: Lists, pieces: list[bytes] | None = None, own: tuple[list[float], list[float]] | None = None
) -> ResponseAnalysis:
    """A response of as many tokens as there are lists, less the end, with these probabilities of candidates."""
    said = pieces if pieces is not None else [b"x"] * (len(base) - 1)
    sides = []
    for lists, end, at in ((base, BASE_END_ID, 0), (aligned, END_ID, 1)):
        made = side(
            len(lists),
            tops=[list(each) for each in lists],
            logprobs=[[math.log(p) for p in each.values()] for each in lists],
            end_id=end,
        )
        probabilities = own[at] if own else [1e-9] * len(lists)
        sides.append(dataclasses.replace(made, logprob=floats(map(math.log, probabilities))))
    scores = scored(said, base=sides[0], aligned=sides[1])
    left, right = (
        dataclasses.replace(each, pieces={**each.pieces, **PIECES}) for each in (scores.base, scores.aligned)
    )
    scores = dataclasses.replace(scores, base=left, aligned=right)
    return build(response(b"".join(said).decode()), scores, ClassifyOptions())


def of(found: VocabularyShift, piece: bytes, *, is_end: bool = False) -> TokenShift:
    return next(token for token in found.tokens if (token.piece, token.is_end) == (piece, is_end))


FLAT = {30: 0.5, 31: 0.5}


def test_a_token_of_both_lists_changes_by_the_difference_of_its_probabilities() -> None:
    found = vocabulary_shift([("a", analysed([{SKY: 0.7, SURE: 0.1}, FLAT], [{SURE: 0.9, SKY: 0.05}, FLAT]))])
    assert found.positions == 2
    assert of(found, b"Sure").change == pytest.approx(0.8, abs=1e-6)
    assert of(found, b"Sky").change == pytest.approx(-0.65, abs=1e-6)
    assert found.promoted(1)[0].piece == b"Sure"
    assert found.suppressed(1)[0].piece == b"Sky"


def test_of_a_token_that_a_list_lacks_the_least_change_counts() -> None:
    # In the base model it has at most what the last of its list has, 0.2.
    found = vocabulary_shift([("a", analysed([{SKY: 0.5, THE: 0.2}, FLAT], [{SURE: 0.9, SKY: 0.05}, FLAT]))])
    assert of(found, b"Sure").change == pytest.approx(0.7, abs=1e-6)
    # And at most what the list leaves over, 0.1.
    found = vocabulary_shift([("a", analysed([{SKY: 0.5, THE: 0.4}, FLAT], [{SURE: 0.9, SKY: 0.05}, FLAT]))])
    assert of(found, b"Sure").change == pytest.approx(0.8, abs=1e-6)
    # The base model's " the", of 0.4, has at most 0.05 in the aligned model.
    assert of(found, b" the").change == pytest.approx(-0.35, abs=1e-6)
    (place,) = of(found, b"Sure").promotions
    assert place.base is None
    assert place.aligned == pytest.approx(0.9, abs=1e-6)


def test_of_a_token_that_a_list_lacks_the_whole_change_counts_where_a_server_tells_its_probability() -> None:
    found = analysed([{SKY: 0.5, THE: 0.2}, FLAT], [{SURE: 0.9, SKY: 0.05}, FLAT])
    assert isinstance(found.scored, ScoredResponse)
    told = [math.log(p) for p in (0.001, 0.5, 0.5, 0.5)], [math.log(p) for p in (0.05, 0.03, 0.5, 0.5)]
    comparison = dataclasses.replace(
        found.scored.comparison, base_of_aligned_top=floats(told[0]), aligned_of_base_top=floats(told[1])
    )
    found = dataclasses.replace(found, scored=dataclasses.replace(found.scored, comparison=comparison))
    shift = vocabulary_shift([("a", found)])
    assert of(shift, b"Sure").change == pytest.approx(0.899, abs=1e-6)
    assert of(shift, b" the").change == pytest.approx(-0.17, abs=1e-6)
    (place,) = of(shift, b"Sure").promotions
    assert place.base == pytest.approx(0.001, abs=1e-6)


def test_what_may_not_have_changed_at_all_counts_as_no_change() -> None:
    found = vocabulary_shift([("a", analysed([{SKY: 0.5, THE: 0.2}, FLAT], [{SKY: 0.5, SURE: 0.1}, FLAT]))])
    token = of(found, b"Sure")
    assert (token.change, token.promoted_at, token.suppressed_at, token.promotions) == (0, 0, 0, ())


def test_the_token_that_was_said_has_its_probability_wherever_the_lists_end() -> None:
    lists: Lists = [{SKY: 0.5, THE: 0.3}, FLAT]
    found = vocabulary_shift([("a", analysed(lists, lists, [b"Sure"], own=([0.01, 0.01], [0.05, 0.01])))])
    token = of(found, b"Sure")
    assert token.change == pytest.approx(0.04, abs=1e-6)
    assert token.said == 1
    (place,) = token.promotions
    assert (place.position, place.start, place.end, place.said) == (0, 100, 104, True)


def test_changes_and_counts_add_up_over_positions_and_files_and_the_greatest_places_are_kept() -> None:
    one = analysed([{SKY: 0.5, SURE: 0.1}] * 2, [{SURE: 0.6, SKY: 0.3}, {SURE: 0.9, SKY: 0.1}])
    other = analysed([{SURE: 0.5, SKY: 0.5}] * 2, [{SURE: 0.2, SKY: 0.8}] * 2)
    found = vocabulary_shift([("one", one), ("other", other)], places=1)
    token = of(found, b"Sure")
    assert (token.promoted_at, token.suppressed_at) == (2, 2)
    assert token.promoted == pytest.approx(1.3, abs=1e-6)
    assert token.suppressed == pytest.approx(0.6, abs=1e-6)
    assert token.change == pytest.approx(0.7, abs=1e-6)
    assert [(place.file, place.position) for place in token.promotions] == [("one", 1)]
    # Of equal changes the first place is kept.
    assert [(place.file, place.position) for place in token.suppressions] == [("other", 0)]


def test_the_ends_of_both_models_are_one_token() -> None:
    found = vocabulary_shift([("a", analysed([{BASE_END_ID: 0.9, SKY: 0.1}] * 2, [{SKY: 0.7, END_ID: 0.3}] * 2))])
    token = of(found, b"", is_end=True)
    assert token.change == pytest.approx(-1.2, abs=1e-6)
    assert token.said == 1
    assert not [each for each in found.tokens if each.piece in (b"</s>", b"<eot>")]


def test_ids_with_the_same_bytes_are_one_token() -> None:
    again = {10: 0.2, THE: 0.3}
    found = vocabulary_shift([("a", analysed([{10: 0.3, THE: 0.2}, FLAT], [again, FLAT]))])
    assert of(found, b" the").change == pytest.approx(0, abs=1e-6)
    # Two ids that the base model does not list have at most twice what one has.
    found = vocabulary_shift([("a", analysed([{SKY: 0.5, SURE: 0.1}, FLAT], [{10: 0.4, THE: 0.4}, FLAT]))])
    assert of(found, b" the").change == pytest.approx(0.6, abs=1e-6)


def test_positions_that_are_not_one_token_of_both_models_are_left_out_and_counted() -> None:
    found = vocabulary_shift([("a", build(response("abc"), two_vocabularies(), ClassifyOptions()))])
    assert (found.positions, found.left_out) == (2, 2)


def test_identical_models_change_nothing() -> None:
    lists: Lists = [{SKY: 0.5, SURE: 0.3}, {THE: 0.8, SKY: 0.1}]
    found = vocabulary_shift([("a", analysed(lists, lists))])
    assert found.promoted(10) == found.suppressed(10) == ()


weights = st.lists(st.floats(0.01, 1), min_size=5, max_size=5)


@given(st.lists(st.tuples(weights, weights), min_size=2, max_size=4), st.integers(1, 4))
def test_what_is_counted_is_never_more_than_the_change_over_the_whole_vocabulary(
    distributions: list[tuple[list[float], list[float]]], kept: int
) -> None:
    """The lists are the first of five tokens."""
    ids = [SURE, SKY, THE, 30, 31]
    lists: tuple[Lists, Lists] = ([], [])
    for pair in distributions:
        for which, weights_of in zip(lists, pair, strict=True):
            total = sum(weights_of)
            probabilities = {token: weight / total for token, weight in zip(ids, weights_of, strict=True)}
            ordered = sorted(probabilities, key=lambda token: -probabilities[token])[:kept]
            which.append({token: probabilities[token] for token in ordered})
    found = vocabulary_shift([("a", analysed(*lists))])
    up = sum(token.promoted for token in found.tokens)
    down = sum(token.suppressed for token in found.tokens)
    # The most that can be promoted, and suppressed, is the total variation of each position.
    tv = sum(
        sum(max(0.0, a / sum(aligned) - b / sum(base)) for b, a in zip(base, aligned, strict=True))
        for base, aligned in distributions
    )
    assert up <= tv + 1e-5
    assert down <= tv + 1e-5

"""The reference's metrics, on vectors that its own code gave (and a row of scores)."""

from __future__ import annotations

import math

import pytest

from analysis.hand_made import response, scored, side
from shiftlens.analysis.aligntds import Entry, mean_measures, measures, measures_at, shown_text, softmax
from shiftlens.analysis.classify import build
from shiftlens.analysis.facts import reference
from shiftlens.options.pair import ClassifyOptions
from shiftlens.scores.records import ScoredResponse

G1_BASE = [Entry(11, "the", 5), Entry(12, "a", 4), Entry(13, "Hello", 3), Entry(14, "\n", 2), Entry(15, "x", 1)]
G1_ALIGNED = [
    Entry(13, "Hello", 6),
    Entry(11, "the", 4.5),
    Entry(16, "Hi", 3.5),
    Entry(12, "a", 1.5),
    Entry(17, "Sure", 0.5),
]
G2_BASE = [Entry(i, f"T{i}", 6 - 0.5 * i) for i in range(12)]
G2_ALIGNED = [
    Entry(100 + int(name[1:]) if name[0] == "X" else int(name[1:]), name, 8 - 0.75 * i)
    for i, name in enumerate(["T3", "T0", "T1", "T11", "T2", "T5", "X0", "X1", "T4", "T6", "T7", "X2"])
]
G3_BASE = [G1_BASE[0], Entry(21, "Hello", 4), *G1_BASE[2:]]


def check(base: list[Entry], aligned: list[Entry], k: int, digits: float = 1e-9, **wanted: float) -> None:
    found = measures(base, aligned, k)
    for name, value in wanted.items():
        assert getattr(found, name) == pytest.approx(value, abs=digits), name


def test_probabilities_are_over_the_kept_candidates_alone() -> None:
    assert softmax([e.logit for e in G1_BASE]) == pytest.approx(
        [0.6364086466, 0.2341216573, 0.0861285444, 0.0316849208, 0.011656231], abs=1e-9
    )
    assert softmax([e.logit for e in G1_ALIGNED]) == pytest.approx(
        [0.7573399915, 0.1689853936, 0.0621662522, 0.0084132873, 0.0030950754], abs=1e-9
    )


def test_g1() -> None:
    same = {"ndcg": 0.7072657902, "top_rank": 2, "top_prob": 0.0861285444, "bi_top_prob": 0.127556969}
    check(G1_BASE, G1_ALIGNED, 3, jaccard=0.5, weighted_sum=0.1727723567, kl=0.6566550746, **same)
    for k in (5, 10):
        check(G1_BASE, G1_ALIGNED, k, jaccard=0.4285714286, weighted_sum=0.1747420895, kl=1.4353504025, **same)


# The published digits of this one are eight, so that no more than those can be held against it.
def test_g2_keeps_more_candidates_than_it_compares() -> None:
    eight = 0.6e-8
    check(G2_BASE, G2_ALIGNED, 3, eight, jaccard=0.5, weighted_sum=0.12649263, kl=0.35064987, ndcg=0.79923728)
    check(G2_BASE, G2_ALIGNED, 3, eight, top_rank=3, top_prob=0, bi_top_prob=0.12463358)
    check(G2_BASE, G2_ALIGNED, 10, eight, jaccard=0.53846154, weighted_sum=0.17723315, kl=0.73797199)
    check(G2_BASE, G2_ALIGNED, 10, eight, top_rank=3, top_prob=0.08801304, bi_top_prob=0.1686401)
    check(G2_BASE, G2_ALIGNED, 50, eight, jaccard=0.6, weighted_sum=0.17732628, kl=0.7764422, ndcg=0.79923728)
    check(G2_ALIGNED, G2_BASE, 10, eight, kl=0.68346064, top_rank=1, top_prob=0.24926715)


def test_g3_takes_the_first_of_equal_strings() -> None:
    check(G3_BASE, G1_ALIGNED, 5, top_rank=1, top_prob=0.2341216573, jaccard=0.2857142857)
    check(G3_BASE, G1_ALIGNED, 5, weighted_sum=0.2848534595, kl=0.5690439372, ndcg=0.5702522165)


def test_g4_identical_lists() -> None:
    check(G1_BASE, G1_BASE, 5, jaccard=1, kl=0, ndcg=1, weighted_sum=0.4683868439)


def test_g5_lists_that_share_nothing_have_no_divergence() -> None:
    other = [Entry(e.id + 900, e.text + "!", e.logit) for e in G1_ALIGNED]
    check(G1_BASE, other, 5, jaccard=0, weighted_sum=0, kl=0, ndcg=0, top_rank=5, top_prob=0)


def test_g6_divergence_can_be_negative() -> None:
    base, aligned = [Entry(1, "p", 5), Entry(2, "q", 0)], [Entry(3, "r", 5), Entry(2, "q", 4.9)]
    check(base, aligned, 10, kl=-0.0285270636)


def test_lists_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="can't compare"):
        measures(G1_BASE, G1_BASE[:2])


def scored_like_g1() -> ScoredResponse:
    decoded = {e.id: e.text for e in G1_BASE + G1_ALIGNED}
    sides = [
        side(1, tops=[[e.id for e in entries]], logprobs=[[e.logit - 7 for e in entries]])
        for entries in (G1_BASE, G1_ALIGNED)
    ]
    return scored([], base=sides[0], aligned=sides[1], decoded=decoded)


def test_a_row_of_scores_has_the_same_numbers_under_the_pages_names() -> None:
    found = measures_at(scored_like_g1(), 0)
    assert list(found) == ["KL@10", "Jaccard@10", "WS@10", "TR@10", "TP", "BTP", "nDCG"]
    assert found["KL@10"] == pytest.approx(1.4353504025, abs=1e-6)
    assert found["TR@10"] == 2
    assert found["nDCG"] == pytest.approx(0.7072657902)
    assert shown_text(scored_like_g1(), 0) == "Hello"


def scored_with_the_top_far_down(place: int) -> ScoredResponse:
    """Of 30 candidates, the aligned model's first is the base model's at this place, and the other way round."""
    base = list(range(30))
    aligned = [base[place], *(i for i in base if i != base[place])]
    logprobs = [[-0.1 * i for i in range(30)]]
    sides = [side(1, tops=[ids], logprobs=logprobs) for ids in (base, aligned)]
    return scored([], base=sides[0], aligned=sides[1], decoded={i: f"T{i}" for i in base})


@pytest.mark.parametrize("place", [3, 10, 29])
def test_tp_looks_among_all_thirty_candidates_while_btp_and_the_rank_look_among_ten(place: int) -> None:
    found = measures_at(scored_with_the_top_far_down(place), 0)
    whole = sum(math.exp(-0.1 * i) for i in range(30))
    assert found["TP"] == pytest.approx(math.exp(-0.1 * place) / whole, abs=1e-6)
    # The base model's first is the aligned model's second.
    among_ten = math.exp(-0.1 * place) if place < 10 else 0
    assert found["BTP"] == pytest.approx((among_ten + math.exp(-0.1)) / 2 / whole, abs=1e-6)
    assert found["TR@10"] == min(place, 10)


def test_the_other_numbers_of_a_page_compare_the_first_ten() -> None:
    scores = scored_with_the_top_far_down(29)
    found = measures_at(scores, 0)
    assert found["Jaccard@10"] == pytest.approx(9 / 11)
    assert found["nDCG"] < 1


def test_a_response_has_the_means_of_its_positions() -> None:
    assert mean_measures(scored_like_g1()) == measures_at(scored_like_g1(), 0)
    assert mean_measures(scored_like_g1())["TP"] == pytest.approx(0.0861285444, abs=1e-6)


def test_the_numbers_of_a_position_are_said_with_the_token_that_the_page_would_show() -> None:
    assert reference(scored_like_g1(), 0).sentence == (
        "AlignTDS: KL@10 1.4354, Jaccard@10 0.4286, WS@10 0.1747, TR@10 2, TP 0.0861, BTP 0.1276, nDCG 0.7073;"
        " it would show Hello"
    )


def test_strings_that_were_not_kept_are_missed_loudly() -> None:
    bare = scored([], base=side(1, tops=[[1, 2]]), aligned=side(1, tops=[[2, 1]]))
    with pytest.raises(ValueError, match="compat=aligntds"):
        measures_at(bare, 0)
    with pytest.raises(ValueError, match="compat=aligntds"):
        build(response(""), bare, ClassifyOptions(), compat="aligntds")


def test_a_probability_of_nothing_is_no_error() -> None:
    far = [Entry(1, "a", 0.0), Entry(2, "b", -2000.0)]
    assert math.isfinite(measures(far, far).kl)

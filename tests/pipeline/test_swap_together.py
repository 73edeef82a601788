"""Swapping in one go on the bundled pair: what each arm says beside the aligned model's own answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from jsonschema import Draft202012Validator

from pipeline.in_process import InProcess
from pipeline.test_cross_sample import asked, greedy_answer
from shiftlens.analysis.cross_sampling import Swap, SwappedTogether, most_shifted
from shiftlens.analysis.cross_sampling_contract import schema, to_json
from shiftlens.analysis.model import Analysis
from shiftlens.engine.protocol import Progress
from shiftlens.errors import ScoringError
from shiftlens.pipeline.cross_sample import CrossSampling
from shiftlens.pipeline.swap_together import bar_of, swap_together
from shiftlens.report.text.cross_sampling import together_lines
from shiftlens.scores.continuations import WrittenToken, text_of
from shiftlens.scoring.session import Session

__all__ = ["greedy_answer"]


@pytest.fixture(scope="module")
def engine() -> InProcess:
    return InProcess(Session())


async def swapped(
    engine: InProcess, analysis: Analysis, most: int, how: CrossSampling
) -> tuple[list[SwappedTogether], list[Progress]]:
    found: list[SwappedTogether] = []
    told: list[Progress] = []
    async with aclosing(swap_together(engine, analysis, most, how)) as events:
        async for event in events:
            if isinstance(event, Progress):
                told.append(event)
            else:
                found.append(event)
    return found, told


async def test_without_swaps_the_aligned_model_says_its_own_answer_again(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    (found,), told = await swapped(engine, greedy_answer, 1, asked(tokens=200))
    arms = {each.arm.name: each for each in found.arms}
    assert list(arms) == ["swapped", "kept", "reverse", "base"]
    assert not arms["kept"].greedy.parting.parts
    assert arms["kept"].greedy.swapped == arms["base"].greedy.swapped == ()
    assert found.effect == arms["swapped"].greedy.parting.edit_distance > 0
    fractions = [each.fraction for each in told if each.phase == "scoring"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


async def test_the_most_shifted_tokens_of_the_answer_are_swapped_in_their_order(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    """The response is the aligned model's greedy answer, so that its own scores tell which these are."""
    above = greedy_answer.classify_options.thresholds[1]
    ordered = [(each, each.base_rank) for each in most_shifted(greedy_answer, 99)]
    ranks = [rank for _, rank in ordered if isinstance(rank, int)]
    assert len(ranks) == len(ordered)
    for most in range(1, len(ranks) + 1):
        (found,), _ = await swapped(engine, greedy_answer, most, asked(tokens=200))
        greedy = next(each.greedy for each in found.arms if each.arm.name == "swapped")
        bar = ranks[most - 1]
        assert greedy.from_rank == bar > above
        assert all(each.base_rank >= bar for each in greedy.swaps)
        # Up to the first swap the answer is the response; what comes behind it is another text.
        first, rank = min(zip([each for each, _ in ordered[:most]], ranks, strict=False), key=lambda each: each[0].row)
        assert greedy.swaps[0] == Swap(first.row, first.said.piece, rank)
        assert greedy.pieces[: first.row] == found.said[: first.row]
        put = greedy.pieces[first.row : first.row + 1]
        assert put == (() if first.base.ends else (first.base.piece,))
    assert len(set(ranks)) > 1
    (all_of_them,), _ = await swapped(engine, greedy_answer, len(ranks) + 1, asked(tokens=200))
    assert all_of_them.arms[0].greedy.from_rank == above + 1


def test_the_bar_is_the_least_of_the_greatest_base_ranks_and_no_token_below_it_is_shifted() -> None:
    def control(*ranks: int) -> list[WrittenToken]:
        return [WrittenToken(id=0, piece=b"a", logprob=0.0, base_rank=rank) for rank in ranks]

    assert bar_of(control(9, 0, 5, 2, 7), 2, 3) == 7
    assert bar_of(control(9, 9, 5), 1, 3) == 9
    assert bar_of(control(9, 3, 2, 0), 2, 3) == 4
    assert bar_of(control(), 1, 3) == 4


async def test_more_swaps_are_made_only_where_there_is_more_to_swap(engine: InProcess, greedy_answer: Analysis) -> None:
    counts = []
    for most in (1, 2, 50):
        (found,), _ = await swapped(engine, greedy_answer, most, asked(tokens=200))
        by_arm = {each.arm.name: each.greedy for each in found.arms}
        assert len(by_arm["swapped"].swapped) <= most
        assert len(by_arm["reverse"].swapped) <= most
        assert found.most == most
        counts.append(len(by_arm["swapped"].swapped))
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] < 50


async def test_the_text_marks_what_was_swapped_and_the_json_is_as_its_schema_says(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    how = asked(samples=1, seed=3, tokens=30)
    found, _ = await swapped(engine, greedy_answer, 2, how)
    lines = [line.text for line in together_lines(found[0])]
    (arm,) = [each for each in found[0].arms if each.arm.name == "swapped"]
    assert [sample.seed for sample in arm.samples] == [None, 3]
    assert sum("⟦" in line for line in lines) >= 2
    assert any(line.startswith("kept: the aligned model, alone") for line in lines)
    first = arm.greedy.swaps[0]
    assert f"    swapped from base rank {arm.greedy.from_rank:,} on (tokens count from 0):" in lines
    assert any(
        line.startswith(f"      token {first.index}: ") and line.endswith(f"(base rank {first.base_rank:,})")
        for line in lines
    )
    value = to_json(
        greedy_answer, "a.txt", (), samples=1, seed=3, sampling=how.sampling, together=found, most=2
    )  # fmt: skip
    Draft202012Validator(schema()).validate(value)
    response = json.loads(json.dumps(value))["together"][0]
    assert response["said"] == text_of(found[0].said)
    of_arm = {each["arm"]: each["continuations"][0] for each in response["arms"]}
    told = {"index": first.index, "replaced": text_of([first.replaced]), "base_rank": first.base_rank}
    assert of_arm["swapped"]["swaps"][0] == told
    assert (of_arm["kept"]["from_rank"], of_arm["kept"]["swaps"]) == (None, [])


def test_a_budget_of_nothing_is_refused(engine: InProcess, greedy_answer: Analysis) -> None:
    with pytest.raises(ScoringError, match="swaps"):
        asyncio.run(swapped(engine, greedy_answer, 0, asked()))

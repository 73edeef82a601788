"""Cross-sampling on the bundled pair and on small ones: what each arm says, and that it comes again the same."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from pipeline.in_process import InProcess
from shiftlens.analysis.cross_sampling import CrossSampled, SwapPosition, most_shifted, swap_position
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.parting import distance
from shiftlens.engine.protocol import Continue, Progress, Wrote
from shiftlens.errors import ScoringError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline.analyse import analyse
from shiftlens.pipeline.cross_sample import TWO_VOCABULARIES, CrossSampling, NotSampled, cross_sample
from shiftlens.scores.continuations import Sampling, Voice, text_of
from shiftlens.scores.requests import to_score
from shiftlens.scoring.session import Session
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

BUNDLED = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")
ASKED = "User: What should I know about Saturn?\n\nAssistant: "


@pytest.fixture(scope="module")
def engine() -> InProcess:
    return InProcess(Session())


@pytest.fixture(scope="module")
def greedy_answer(engine: InProcess) -> Analysis:
    """The analysis of the aligned model's own greedy answer."""

    async def answered() -> Analysis:
        response = to_score(transcript_of(ASKED + "x").responses[0], "labels")
        request = Continue(
            pair=BUNDLED,
            options=ScoreOptions(),
            response=msgspec.structs.replace(response, parts=()),
            position=0,
            voices=(Voice(0.0),),
            sampling=Sampling(max_tokens=200),
        )
        tokens = [event.token async for event in engine.run(request) if isinstance(event, Wrote)]
        assert tokens[-1].end == "end"
        return await analysis_of(engine, BUNDLED, ASKED + text_of(token.piece for token in tokens[:-1]) + "\n")

    return asyncio.run(answered())


def transcript_of(text: str) -> Transcript:
    found = read(text)
    assert found is not None
    return found


async def analysis_of(engine: InProcess, pair: PairSpec, text: str) -> Analysis:
    choice = Choice(pair, ScoreOptions(), ClassifyOptions(), ())
    return (await analyse(engine, transcript_of(text), choice)).analysis


def asked(samples: int = 0, seed: int = 0, tokens: int = 60) -> CrossSampling:
    return CrossSampling(samples=samples, seed=seed, sampling=Sampling(max_tokens=tokens))


async def crossed(
    engine: InProcess, analysis: Analysis, positions: Sequence[SwapPosition], how: CrossSampling
) -> list[CrossSampled | NotSampled]:
    found = []
    async with aclosing(cross_sample(engine, analysis, positions, how)) as events:
        async for event in events:
            if not isinstance(event, Progress):
                found.append(event)
    return found


async def test_behind_its_own_tokens_the_aligned_model_says_its_greedy_answer_again(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    positions = most_shifted(greedy_answer, 5)
    assert positions
    for each in await crossed(engine, greedy_answer, positions, asked()):
        assert isinstance(each, CrossSampled)
        kept, swapped = each.arm("kept"), each.arm("swapped")
        assert kept is not None
        assert swapped is not None
        assert not kept.greedy.parting.parts
        assert kept.greedy.parting.edit_distance == 0
        assert each.effect == swapped.greedy.parting.edit_distance


async def test_without_its_opener_the_answer_goes_without_the_manner_of_speech(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    first = swap_position(greedy_answer.responses[0], 0)
    assert first is not None
    (found,) = await crossed(engine, greedy_answer, [first], asked())
    assert isinstance(found, CrossSampled)
    swapped = found.arm("swapped")
    assert swapped is not None
    said = text_of(found.said)
    text = text_of((first.base.piece, *swapped.greedy.pieces))
    assert "!" in said.split(".")[0]
    assert "!" not in text.split(".")[0]


async def test_the_same_seeds_give_the_same_numbers_and_others_give_others(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    positions = most_shifted(greedy_answer, 2)
    first = await crossed(engine, greedy_answer, positions, asked(3, seed=5, tokens=12))
    assert first == await crossed(engine, greedy_answer, positions, asked(3, seed=5, tokens=12))
    assert first != await crossed(engine, greedy_answer, positions, asked(3, seed=50, tokens=12))
    for each in first:
        assert isinstance(each, CrossSampled)
        for arm in each.arms:
            assert [sample.seed for sample in arm.samples] == [None, 5, 6, 7]
            assert arm.spread(distance).count == 3
            assert all(len(sample.pieces) <= 12 for sample in arm.samples)


async def test_an_identical_pair_has_nothing_to_swap(engine: InProcess) -> None:
    pair = PairSpec(base=BUNDLED_ALIGNED, aligned=BUNDLED_ALIGNED, device="cpu")
    options = ScoreOptions(base_context="chat")
    choice = Choice(pair, options, ClassifyOptions(classify_by="aligned-top1"), ())
    found = (await analyse(engine, transcript_of(ASKED + "Good question! It has rings.\n"), choice)).analysis
    assert most_shifted(found, 10) == ()


async def test_where_the_base_says_the_same_that_is_told_and_the_others_go_on(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    (response,) = greedy_answer.responses
    every = [swap_position(response, row) for row in range(response.scored.rows)]
    same = next(each for each in every if each is not None and not each.is_swap)
    (shifted,) = most_shifted(greedy_answer, 1)
    told, found = await crossed(engine, greedy_answer, [same, shifted], asked(tokens=3))
    assert isinstance(told, NotSampled)
    assert "nothing to swap" in told.message
    assert isinstance(found, CrossSampled)


async def test_the_end_of_a_response_can_be_swapped_for_going_on(engine: InProcess) -> None:
    analysis = await analysis_of(engine, BUNDLED, ASKED + "Saturn is a giant\n")
    last = swap_position(analysis.responses[0], analysis.responses[0].scored.rows - 1)
    assert last is not None
    assert last.said.ends
    (found,) = await crossed(engine, analysis, [last], asked(tokens=6))
    assert isinstance(found, CrossSampled)
    kept, swapped = found.arm("kept"), found.arm("swapped")
    assert kept is not None
    assert swapped is not None
    assert (kept.greedy.end, kept.greedy.pieces, kept.greedy.parting.parts) == ("end", (), False)
    assert swapped.greedy.pieces
    assert swapped.greedy.parting.edit_distance == 1


async def test_only_the_response_that_is_asked_about_is_gone_on_with(engine: InProcess) -> None:
    text = ASKED + "Saturn is a planet.\n\nUser: And what is Mars?\n\nAssistant: Great question! Mars is red.\n"
    whole = await analysis_of(engine, BUNDLED, text)
    second = dataclasses.replace(
        whole,
        transcript=dataclasses.replace(whole.transcript, responses=whole.transcript.responses[1:]),
        responses=whole.responses[1:],
    )
    positions = [each for each in most_shifted(whole, 20) if each.response == 1]
    assert positions
    alone = await crossed(engine, second, positions, asked(tokens=5))
    assert alone == await crossed(engine, whole, positions, asked(tokens=5))


async def test_in_a_pair_of_two_vocabularies_only_the_aligned_model_goes_on(tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", sentence_piece_tokenizer(), seed=0)
    aligned = save_model(tmp_path / "aligned", byte_level_tokenizer(), seed=1)
    pair = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    engine = InProcess(Session())
    analysis = await analysis_of(engine, pair, "User: Why?\n\nAssistant: Great question! So it is.\n")
    positions = most_shifted(analysis, 30)
    assert positions
    found = await crossed(engine, analysis, positions, asked(tokens=4))
    done = [each for each in found if isinstance(each, CrossSampled)]
    assert done
    for each in done:
        assert [arm.arm.name for arm in each.arms] == ["swapped", "kept"]
        assert TWO_VOCABULARIES in each.notes
    for told in found:
        assert isinstance(told, CrossSampled) or "part of a character" in told.message


async def test_what_can_not_be_done_is_refused_before_anything_is_written(
    engine: InProcess, greedy_answer: Analysis
) -> None:
    for how, why in (
        (asked(samples=101), "0 to 100 samples"),
        (asked(samples=1, seed=1 << 63), "Seeds"),
        (asked(tokens=0), "tokens"),
    ):
        with pytest.raises(ScoringError, match=why):
            await crossed(engine, greedy_answer, most_shifted(greedy_answer, 1), how)

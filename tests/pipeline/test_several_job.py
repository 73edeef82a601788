"""Several tuned models beside one base model: what a store has is recalled for each, the rest is asked for together."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.in_process import InProcess
from shiftlens.analysis.stages_of_file import each_compared, stages_of_file
from shiftlens.engine.protocol import Job, Progress, ScoreSeveral
from shiftlens.options.choice import Choice
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline.analyse import Analysed, analyse
from shiftlens.pipeline.analyse_several import analyse_several
from shiftlens.pipeline.put_aside import put_aside
from shiftlens.pipeline.several_job import several_job
from shiftlens.pipeline.work import plan_work
from shiftlens.scores.outcomes import OutcomeCache
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read
from tiny_models import byte_level_tokenizer, save_model

TALK = "User: Why?\n\nAssistant: Because air scatters it.\n\nUser: Why not?\n\nAssistant: No.\n"


@pytest.fixture(scope="module")
def pairs(tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[PairSpec, ...]:
    folder = tmp_path_factory.mktemp("tuned")
    tuned = (save_model(folder / str(seed), byte_level_tokenizer(), seed=seed) for seed in (7, 8))
    return (tiny_pair, *(replace(tiny_pair, aligned=str(each)) for each in tuned))


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "scores.sqlite3")


def transcript_of(text: str) -> Transcript:
    found = read(text)
    assert found is not None
    return found


def chosen(pairs: tuple[PairSpec, ...]) -> list[Choice]:
    return [Choice(pair, ScoreOptions(), ClassifyOptions(), ()) for pair in pairs]


async def analysed(
    engine: InProcess, pairs: tuple[PairSpec, ...], store: ResultStore | None, text: str = TALK
) -> tuple[Analysed, ...]:
    return await analyse_several(engine, transcript_of(text), chosen(pairs), store=store)


def questions(request: Job) -> tuple[tuple[str, ...], int]:
    """The aligned models that were asked for, and how many responses."""
    assert isinstance(request, ScoreSeveral)
    return tuple(pair.aligned for pair in request.pairs), len(request.responses)


async def test_all_models_are_asked_for_at_once_and_a_side_is_stored_once(
    pairs: tuple[PairSpec, ...], store: ResultStore
) -> None:
    engine = InProcess()
    found = await analysed(engine, pairs, store)
    assert [questions(request) for request in engine.asked] == [(tuple(pair.aligned for pair in pairs), 2)]
    assert [len(each.analysis.responses) for each in found] == [2, 2, 2]
    assert [each.analysis.pair for each in found] == list(pairs)
    described = [(each.models["base"], each.models["aligned"]) for each in found]
    assert [base and base.path for base, _ in described] == [pairs[0].base] * 3
    assert [aligned and aligned.path for _, aligned in described] == [pair.aligned for pair in pairs]
    stats = store.stats()
    assert stats.entries == 2 * len(pairs)
    assert stats.sides == 2 * (1 + len(pairs))


async def test_all_models_may_put_their_scores_aside_in_one_place_where_what_is_there_is_not_scored_again(
    pairs: tuple[PairSpec, ...],
) -> None:
    engine, transcript = InProcess(), transcript_of(TALK)
    held = await analysed(engine, pairs, None)
    with put_aside() as aside:
        own = await analyse(engine, transcript, chosen(pairs)[0], aside=aside)
        found = await analyse_several(engine, transcript, chosen(pairs), aside=aside)
        assert [list(each.analysis.responses) for each in found] == [list(each.analysis.responses) for each in held]
        assert list(own.analysis.responses) == list(held[0].analysis.responses)
        compared = each_compared([each.analysis for each in found], [each.refused for each in found], 0.1)
        whole = stages_of_file([each.analysis for each in held], [each.refused for each in held], 0.1)
        assert tuple(compared) == whole.responses
    assert questions(engine.asked[-1]) == (tuple(pair.aligned for pair in pairs[1:]), 2)


async def test_a_run_with_one_more_model_scores_that_one_alone(pairs: tuple[PairSpec, ...], store: ResultStore) -> None:
    engine = InProcess()
    before = await analysed(engine, pairs[:2], store)
    after = await analysed(engine, pairs, store)
    assert [questions(request) for request in engine.asked] == [
        (tuple(pair.aligned for pair in pairs[:2]), 2),
        ((pairs[2].aligned,), 2),
    ]
    assert after[:2] == before
    again = await analysed(engine, pairs, store)
    assert again == after
    assert len(engine.asked) == 2


async def test_a_pair_that_was_scored_by_itself_is_recalled_and_has_the_same_numbers(
    pairs: tuple[PairSpec, ...], store: ResultStore
) -> None:
    engine = InProcess()
    alone = await analyse(engine, transcript_of(TALK), chosen(pairs)[1], store=store)
    found = await analysed(engine, pairs, store)
    assert found[1].analysis == alone.analysis
    assert questions(engine.asked[1]) == ((pairs[0].aligned, pairs[2].aligned), 2)
    fresh = await analysed(engine, pairs, None)
    assert [each.analysis for each in fresh] == [each.analysis for each in found]


async def test_models_that_miss_other_responses_are_asked_for_by_themselves(
    pairs: tuple[PairSpec, ...], store: ResultStore
) -> None:
    engine = InProcess()
    await analysed(engine, pairs[:2], store)
    longer = TALK + "\nUser: And?\n\nAssistant: Great question!\n"
    progress: list[Progress] = []
    found = await analyse_several(
        engine, transcript_of(longer), chosen(pairs), store=store, on_progress=progress.append
    )
    assert [questions(request) for request in engine.asked[1:]] == [
        ((pairs[0].aligned, pairs[1].aligned), 1),
        ((pairs[2].aligned,), 3),
    ]
    assert [len(each.analysis.responses) for each in found] == [3, 3, 3]
    fractions = [each.fraction for each in progress if each.phase == "scoring"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


async def test_a_response_that_stands_twice_is_scored_once(pairs: tuple[PairSpec, ...]) -> None:
    line = '{"prompt": "Hi", "completion": "Hello!"}\n'
    engine = InProcess()
    found = await analysed(engine, pairs[:2], None, line * 3)
    assert questions(engine.asked[0])[1] == 1
    assert [len(each.analysis.responses) for each in found] == [3, 3]


async def test_pairs_that_differ_in_more_than_the_aligned_model_are_no_one_job(pairs: tuple[PairSpec, ...]) -> None:
    transcript = transcript_of(TALK)
    other = replace(pairs[1], dtype="bfloat16")
    for pair, options, text in (
        (other, ScoreOptions(), transcript),
        (pairs[1], ScoreOptions(top_k=5), transcript),
        (pairs[1], ScoreOptions(), transcript_of(TALK)),
    ):
        works = [plan_work(transcript, pairs[0], ScoreOptions()), plan_work(text, pair, options)]
        with pytest.raises(ValueError, match="these works"):
            async with aclosing(several_job(works, InProcess())) as events:
                await anext(events)


async def test_what_is_in_memory_is_not_asked_for_again(pairs: tuple[PairSpec, ...]) -> None:
    engine, cache, transcript = InProcess(), OutcomeCache(), transcript_of(TALK)

    async def scored(some: tuple[PairSpec, ...]) -> list[bool]:
        works = [plan_work(transcript, pair, ScoreOptions()) for pair in some]
        async with aclosing(several_job(works, engine, cache=cache)) as events:
            async for _ in events:
                pass
        return [work.is_missing_any for work in works]

    assert await scored(pairs[:2]) == [False, False]
    assert await scored(pairs) == [False, False, False]
    assert [questions(request) for request in engine.asked] == [
        (tuple(pair.aligned for pair in pairs[:2]), 2),
        ((pairs[2].aligned,), 2),
    ]

"""One job from what is to be scored to scores, for every caller. The engine here is a stand-in for the real one."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest

from analysis.hand_made import scored
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Progress, Refused, Score, Scored
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import AUTO_LIBRARY, PairSpec, ScoreOptions
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import Finished, JobEvent, Recalled, Update, scoring_job
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.scores.matrix_library import expected_library
from shiftlens.scores.outcomes import OutcomeCache, Refusal
from shiftlens.scores.records import ScoredResponse, ScoringModel
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.read import read

TALK = "User: q\nAssistant: ab\n\nUser: r\nAssistant: cd\n\nUser: r\nAssistant: ef\n"
OPTIONS = ScoreOptions()


class Engine:
    """Answers a request with what it was told to, and notes what it was asked for."""

    def __init__(self, *answers: Scored | Refused | Progress) -> None:
        self.answers, self.asked, self.closed = answers, list[Score](), False

    async def run(self, request: Score) -> AsyncGenerator[Any, None]:
        self.asked.append(request)
        try:
            for answer in self.answers:
                yield answer
            yield Done(job=1)
        finally:
            self.closed = True


def work(text: str = TALK, pair: PairSpec | None = None, **more: Any) -> Work:
    transcript = read(text, filename="talk.txt")
    assert transcript is not None
    return plan_work(transcript, pair or PairSpec(base="b", aligned="a"), OPTIONS, **more)


def answer(index: int, *, partial: bool = False, models: tuple[str, str] = ("", "")) -> Scored:
    library = expected_library(AUTO_LIBRARY)
    return Scored(job=1, index=index, scored=scores(models), partial=partial, matrix_library=library)


def scores(models: tuple[str, str] = ("", "")) -> ScoredResponse:
    found = scored([b"a", b"b"])
    base, aligned = (
        dataclasses.replace(side, model=ScoringModel(fingerprint=fingerprint))
        for side, fingerprint in zip((found.base, found.aligned), models, strict=True)
    )
    return dataclasses.replace(found, base=base, aligned=aligned)


async def events(job: Work, engine: Engine | None, **more: Any) -> list[JobEvent]:
    async with aclosing(scoring_job(job, cast(EngineClient, engine), **more)) as found:
        return [event async for event in found]


async def test_what_is_new_comes_between_what_was_known_and_the_end() -> None:
    engine = Engine(Progress(job=1, phase="scoring", fraction=0.5, message=""), answer(1, partial=True), answer(1))
    job = work()
    found = await events(job, engine)
    assert [type(event) for event in found] == [Recalled, Progress, Update, Update, Finished]
    assert [event.result.partial for event in found if isinstance(event, Update)] == [True, False]
    assert job.results[job.keys[1]].outcome == scores()


async def test_who_stops_after_what_was_known_asks_no_engine() -> None:
    engine = Engine(answer(0))
    async with aclosing(scoring_job(work(), cast(EngineClient, engine))) as found:
        assert isinstance(await anext(found), Recalled)
    assert engine.asked == []


async def test_closing_the_job_closes_that_of_the_engine() -> None:
    engine = Engine(answer(0), answer(1))
    async with aclosing(scoring_job(work(), cast(EngineClient, engine))) as found:
        async for event in found:
            if isinstance(event, Update):
                break
    assert engine.closed


async def test_responses_of_one_content_are_asked_for_once_and_all_have_the_scores() -> None:
    text = '{"prompt": "q", "response": "ab"}\n' * 2
    transcript = read(text, filename="talk.jsonl")
    assert transcript is not None
    assert len(transcript.responses) == 2
    job = plan_work(transcript, PairSpec(base="b", aligned="a"), OPTIONS)
    engine = Engine(answer(0))
    await events(job, engine)
    assert len(engine.asked[0].responses) == 1
    assert [None if result is None else result.outcome for result in job.result_of_each()] == [scores()] * 2


async def test_only_what_was_asked_for_is_scored() -> None:
    engine = Engine(answer(0))
    job = work(only=frozenset({2}))
    await events(job, engine)
    assert [response.text for response in engine.asked[0].responses] == ["ef"]
    assert [result is not None for result in job.result_of_each()] == [False, False, True]


async def test_a_cache_in_memory_holds_scores_and_refusals_but_no_first_rows() -> None:
    cache = OutcomeCache()
    refused = Refused(job=1, index=2, problem="Too long.", remedy="Shorten it.")
    await events(work(), Engine(answer(0), answer(1, partial=True), refused), cache=cache)
    job = work()
    engine = Engine(answer(0))
    await events(job, engine, cache=cache)
    assert [response.text for response in engine.asked[0].responses] == ["cd"]
    assert job.results[job.keys[2]].outcome == Refusal("Too long.", "Shorten it.")


async def test_a_job_with_nothing_left_to_score_asks_no_engine() -> None:
    cache = OutcomeCache()
    await events(work(), Engine(answer(0), answer(1), answer(2)), cache=cache)
    engine = Engine()
    assert [type(event) for event in await events(work(), engine, cache=cache)] == [Recalled, Finished]
    assert engine.asked == []


@pytest.mark.parametrize("as_loaded", [True, False])
async def test_scores_are_saved_where_the_engine_had_the_models_as_their_files_are_now(
    tiny_pair: PairSpec, tmp_path: Path, as_loaded: bool
) -> None:
    saved = SavedResults(ResultStore(tmp_path / "scores.sqlite3"))
    base, aligned = (model_fingerprint(name) or "" for name in (tiny_pair.base, tiny_pair.aligned))
    models = (base, aligned) if as_loaded else (base, "of other files")
    job = work(pair=tiny_pair)
    await events(job, Engine(answer(0, models=models)), saved=saved)
    saved.write(job.complete())
    await saved.close()
    later = work(pair=tiny_pair)
    assert [type(event) for event in await events(later, None, saved=saved)] == [Recalled, Finished]
    assert len(later.complete()) == as_loaded

"""From a transcript to its analysis: score what the store does not hold, classify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

from shiftlens.analysis.classify import build, combined
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Progress
from shiftlens.errors import ShiftLensError, TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import FROM_MODELS
from shiftlens.options.server_names import is_server_name
from shiftlens.pipeline.put_aside import MadeWhenAsked, PutAside
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.saved_work import plan_saved_work, why_no_scores
from shiftlens.pipeline.scoring_job import Finished, Update, scoring_job
from shiftlens.pipeline.sidecars import Decided, description_of, how_to_score_anew, words_on_source
from shiftlens.pipeline.unscored import left_out, why_nothing
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import OutcomeCache, Refusal, Result
from shiftlens.scores.records import OneModelScores, ScoredResponse
from shiftlens.scores.sidecar.file import Sidecar
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Analysed:
    """A file's analysis, what the models said of themselves, and responses without scores (index, message).

    `not_scored` are the indices of those of which no part is of a kind that is scored. `scored_at` tells of those
    whose scores came from a file beside the transcript when they were had, and `source` says so in sentences.
    `stages` has the same under each further tuned model that was asked for; where there is nothing of them,
    `why_no_stages` says why.
    """

    analysis: Analysis
    models: dict[str, ModelDescription | None]
    refused: tuple[tuple[int, str], ...]
    problems: tuple[str, ...]
    not_scored: tuple[int, ...] = ()
    scored_at: Mapping[int, str] = field(default_factory=dict)
    source: str = ""
    stages: tuple[Analysed, ...] = ()
    why_no_stages: str = ""

    @property
    def left_out(self) -> str:
        """What the responses that are not scored hold instead, in a sentence; "" where there are none."""
        responses = self.analysis.transcript.responses
        return left_out(responses[index] for index in self.not_scored) if self.not_scored else ""


async def analyse(
    engine: EngineClient,
    transcript: Transcript,
    choice: Choice,
    *,
    store: ResultStore | None = None,
    cache: OutcomeCache | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    aside: PutAside | None = None,
    decided: Decided | None = None,
) -> Analysed:
    """Score all responses of a transcript with a part that is to be scored, but those whose scores are in the store or
    the `cache`, or in the file beside the transcript that was `decided` to be used. Where its pair is not to be loaded,
    the others are refused.

    With `aside`, the scores are put there, and the analyses of responses are made each time they are asked for, which
    can be done until it is closed.

    Raises TranscriptError where there are none; ModelError, ScoringError and EngineError as the engine does, which is
    asked only for what is not stored. Of a model on a server nothing is stored: what was scored before such an error is
    returned, and the other responses are refused with it.
    """
    options = choice.score_options
    if (why := why_nothing(transcript, options.parts)) is not None:
        raise TranscriptError(why[0], line=why[1])
    if choice.scores != FROM_MODELS:
        return await asyncio.to_thread(analysed_as_saved, transcript, choice)
    work = await asyncio.to_thread(plan_work, transcript, choice.pair, options, results=aside)
    saved = None if store is None else SavedResults(store)
    beside = None if decided is None else decided.beside.scores
    is_loadable = decided is None or not decided.why_not
    job = scoring_job(work, engine if is_loadable else None, saved=saved, cache=cache, beside=beside)
    models = await last_event(job, (work,), saved, on_progress)
    finished = models if isinstance(models, Finished) else Finished()
    if decided is not None and decided.beside.sidecar is not None:
        return _with_source(work, choice, finished, decided, decided.beside.sidecar)
    return analysed(work, choice, finished.base, finished.aligned)


async def last_event(
    job: AsyncGenerator[E, None],
    works: Sequence[Work],
    saved: SavedResults | None,
    on_progress: Callable[[Progress], None] | None,
) -> E | None:
    """Follow a job on these works to its end: tell its progress, and store each result when it is there.

    Where the job is given up, or fails, what was scored until then is stored; a failure that `keep_scored` takes care
    of is not raised.
    """
    last: E | None = None
    try:
        async with aclosing(job) as events:
            async for event in events:
                last = event
                if isinstance(event, Progress) and on_progress is not None:
                    on_progress(event)
                elif isinstance(event, Update) and saved is not None:
                    outcome = event.result.outcome
                    if isinstance(outcome, ScoredResponse) and not event.result.partial:
                        saved.write({event.key: outcome})
    except ShiftLensError as error:
        if not keep_scored(works, error):
            raise
    finally:
        if saved is not None:
            for work in works:
                # What was put aside was written as it came (all at once would not fit in memory), but not yet what the
                # models say of themselves.
                saved.write({} if isinstance(work.results, PutAside) else work.complete())
            await saved.close()
    return last


def analysed_as_saved(transcript: Transcript, choice: Choice) -> Analysed:
    """The analysis of the scores that the file itself holds. Raises TranscriptError where it holds none."""
    if why := why_no_scores(transcript):
        raise TranscriptError(why)
    work = plan_saved_work(transcript, choice.score_options)
    return analysed(work, replace(choice, score_options=work.options), None, None)


def _with_source(work: Work, choice: Choice, models: Finished, decided: Decided, sidecar: Sidecar) -> Analysed:
    """The analysis with what came of the sidecar, which also describes models that were not loaded."""
    missing = [key for key in work.keys if key not in work.results]
    stale = f"It is not in {sidecar.path.name} as it is now. {decided.why_not}"
    work.results.update((key, Result(Refusal(stale, how_to_score_anew(decided.beside)))) for key in missing)
    told = sidecar.about.models
    of = {
        at: sidecar.scored_at(work.requests.digest(at)) for at, key in enumerate(work.keys) if key in work.from_sidecar
    }
    found = analysed(
        work,
        choice,
        models.base or (description_of(told.base) if of else None),
        models.aligned or (description_of(told.aligned) if of else None),
    )
    source = words_on_source(decided.beside, len(of), len(missing), len(work.keys))
    return replace(found, scored_at=of, source=source)


def keep_scored(works: Sequence[Work], error: ShiftLensError) -> bool:
    """Refuse with an error what it kept from being scored, if there are scores that would be lost with it.

    There are none under a pair of models that are here, whose scores are on the disk.
    """
    served = [work for work in works if is_server_name(work.pair.base) or is_server_name(work.pair.aligned)]
    if not any(work.has_scores for work in served):
        return False
    for work in works:
        ended = {key for key, result in work.results.items() if not result.partial}
        left = [key for key in work.keys if key not in ended]
        work.results.update(dict.fromkeys(left, Result(Refusal(error.problem, error.remedy))))
    return True


def analysed(work: Work, choice: Choice, base: ModelDescription | None, aligned: ModelDescription | None) -> Analysed:
    """The analysis of the results of a work, and what its models said of themselves."""
    options, classify = choice.score_options, choice.classify_options
    scored: list[int] = []
    refused: list[tuple[int, str]] = []
    not_scored: list[int] = []
    for at, (response, key) in enumerate(zip(work.transcript.responses, work.keys, strict=True)):
        outcome = work.results[key].outcome if key in work.results else None
        if isinstance(outcome, (ScoredResponse, OneModelScores)):
            scored.append(at)
        elif outcome is not None and outcome.by_choice:
            not_scored.append(response.index)
        elif outcome is not None:
            refused.append((response.index, str(outcome)))

    def make(number: int) -> ResponseAnalysis:
        at = scored[number]
        outcome = work.results[work.keys[at]].outcome
        if not isinstance(outcome, (ScoredResponse, OneModelScores)):
            raise KeyError(at)
        return build(work.transcript.responses[at], outcome, classify, compat=options.compat)

    made = MadeWhenAsked(len(scored), make)
    responses: Sequence[ResponseAnalysis] = made if isinstance(work.results, PutAside) else tuple(made)
    analysis = Analysis(
        scores=choice.scores,
        transcript=work.transcript,
        pair=work.pair,
        score_options=options,
        classify_options=classify,
        responses=responses,
        summary=combined(found.summary for found in responses),
    )
    described = {"base": base, "aligned": aligned}
    return Analysed(analysis, described, tuple(refused), choice.problems, tuple(not_scored))

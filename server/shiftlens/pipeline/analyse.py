"""From a transcript to its analysis: score what the store does not hold, classify."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Progress
from shiftlens.errors import TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import Finished, Update, scoring_job
from shiftlens.pipeline.sidecars import Decided, description_of, how_to_score_anew, words_on_source
from shiftlens.pipeline.unscored import left_out, why_nothing
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import Known, Refusal
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.sidecar.file import Sidecar
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


@dataclass(frozen=True, slots=True)
class Analysed:
    """A file's analysis, what the models said of themselves, and responses without scores (index, message).

    `not_scored` are the indices of those of which no part is of a kind that is scored. `scored_at` tells of those
    whose scores came from a file beside the transcript when they were had, and `source` says so in sentences.
    """

    analysis: Analysis
    models: dict[str, ModelDescription | None]
    refused: tuple[tuple[int, str], ...]
    problems: tuple[str, ...]
    not_scored: tuple[int, ...] = ()
    scored_at: Mapping[int, str] = field(default_factory=dict)
    source: str = ""

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
    on_progress: Callable[[Progress], None] | None = None,
    decided: Decided | None = None,
) -> Analysed:
    """Score all responses of a transcript with a part that is to be scored, but those whose scores are in the store, or
    in the file beside the transcript that was `decided` to be used. Where its pair is not to be loaded, the others are
    refused.

    Raises TranscriptError where there are none; ModelError, ScoringError and EngineError as the engine does, which is
    asked only for what is not stored.
    """
    options = choice.score_options
    if (why := why_nothing(transcript, options.parts)) is not None:
        raise TranscriptError(why[0], line=why[1])
    work = await asyncio.to_thread(plan_work, transcript, choice.pair, options)
    saved = None if store is None else SavedResults(store)
    models = Finished()
    try:
        beside = None if decided is None else decided.beside.scores
        is_loadable = decided is None or not decided.why_not
        job = scoring_job(work, engine if is_loadable else None, saved=saved, beside=beside)
        async with aclosing(job) as events:
            async for event in events:
                if isinstance(event, Progress):
                    if on_progress is not None:
                        on_progress(event)
                elif isinstance(event, Finished):
                    models = event
                elif (
                    isinstance(event, Update) and saved is not None and isinstance(event.known.outcome, ScoredResponse)
                ):
                    # First rows are not noted, so that they are not written either.
                    saved.write({event.key: event.known.outcome})
    finally:
        if saved is not None:
            saved.write(work.complete())
            await saved.close()
    if decided is not None and decided.beside.sidecar is not None:
        return _with_source(work, choice, models, decided, decided.beside.sidecar)
    return analysed(work, choice, models.base, models.aligned)


def _with_source(work: Work, choice: Choice, models: Finished, decided: Decided, sidecar: Sidecar) -> Analysed:
    """The analysis with what came of the sidecar, which also describes models that were not loaded."""
    missing = [key for key in work.keys if key not in work.known]
    stale = f"It is not in {sidecar.path.name} as it is now. {decided.why_not}"
    work.known.update((key, Known(Refusal(stale, how_to_score_anew(decided.beside)))) for key in missing)
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


def analysed(work: Work, choice: Choice, base: ModelDescription | None, aligned: ModelDescription | None) -> Analysed:
    """The analysis of what is known of a work, and what its models said of themselves."""
    options, classify = choice.score_options, choice.classify_options
    analyses: list[ResponseAnalysis] = []
    refused: list[tuple[int, str]] = []
    not_scored: list[int] = []
    for response, known in zip(work.transcript.responses, work.outcomes(), strict=True):
        outcome = None if known is None else known.outcome
        if isinstance(outcome, ScoredResponse):
            analyses.append(build(response, outcome, classify, compat=options.compat))
        elif outcome is not None and outcome.by_choice:
            not_scored.append(response.index)
        elif outcome is not None:
            refused.append((response.index, str(outcome)))
    analysis = Analysis(
        transcript=work.transcript,
        pair=work.pair,
        score_options=options,
        classify_options=classify,
        responses=tuple(analyses),
        summary=combine(found.summary for found in analyses),
    )
    described = {"base": base, "aligned": aligned}
    return Analysed(analysis, described, tuple(refused), choice.problems, tuple(not_scored))

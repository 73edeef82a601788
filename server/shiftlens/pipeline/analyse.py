"""From a transcript to its analysis: score what the store does not hold, classify."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Progress
from shiftlens.errors import ShiftLensError, TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.options.server_names import is_server_name
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import Finished, Update, scoring_job
from shiftlens.pipeline.unscored import left_out, why_nothing
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import Known, Refusal
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


@dataclass(frozen=True, slots=True)
class Analysed:
    """A file's analysis, what the models said of themselves, and responses without scores (index, message).

    `not_scored` are the indices of those of which no part is of a kind that is scored.
    """

    analysis: Analysis
    models: dict[str, ModelDescription | None]
    refused: tuple[tuple[int, str], ...]
    problems: tuple[str, ...]
    not_scored: tuple[int, ...] = ()

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
) -> Analysed:
    """Score all responses of a transcript with a part that is to be scored, but those whose scores are in the store.

    Raises TranscriptError where there are none; ModelError, ScoringError and EngineError as the engine does, which is
    asked only for what is not stored. Of a model on a server nothing is stored: what was scored before such an error is
    returned, and the other responses are refused with it.
    """
    options = choice.score_options
    if (why := why_nothing(transcript, options.parts)) is not None:
        raise TranscriptError(why[0], line=why[1])
    work = await asyncio.to_thread(plan_work, transcript, choice.pair, options)
    saved = None if store is None else SavedResults(store)
    models = Finished()
    try:
        async with aclosing(scoring_job(work, engine, saved=saved)) as events:
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
    except ShiftLensError as error:
        if not keep_scored([work], error):
            raise
    finally:
        if saved is not None:
            saved.write(work.complete())
            await saved.close()
    return analysed(work, choice, models.base, models.aligned)


def keep_scored(works: Sequence[Work], error: ShiftLensError) -> bool:
    """Refuse with an error what it kept from being scored, if there are scores that would be lost with it.

    There are none under a pair of models that are here, whose scores are on the disk.
    """
    served = [work for work in works if is_server_name(work.pair.base) or is_server_name(work.pair.aligned)]
    if not any(work.complete() for work in served):
        return False
    for work in works:
        ended = {key for key, known in work.known.items() if not known.partial}
        left = [key for key in work.keys if key not in ended]
        work.known.update(dict.fromkeys(left, Known(Refusal(error.problem, error.remedy))))
    return True


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

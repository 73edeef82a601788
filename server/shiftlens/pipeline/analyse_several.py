"""From a transcript to its analyses under several aligned models beside one base model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Progress
from shiftlens.errors import ShiftLensError, TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.pipeline.analyse import Analysed, analysed, keep_scored
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import Update
from shiftlens.pipeline.several_job import FinishedEach, several_job
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.pipeline.work import plan_work
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


async def analyse_several(
    engine: EngineClient,
    transcript: Transcript,
    choices: Sequence[Choice],
    *,
    store: ResultStore | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Analysed, ...]:
    """As `analyse`, once for each choice; these differ in their aligned model alone (else ValueError).

    Each response is scored under all models that the store has no scores of in one go.
    """
    options = choices[0].score_options
    if (why := why_nothing(transcript, options.parts)) is not None:
        raise TranscriptError(why[0], line=why[1])
    works = [await asyncio.to_thread(plan_work, transcript, each.pair, each.score_options) for each in choices]
    saved = None if store is None else SavedResults(store)
    models = FinishedEach(((None, None),) * len(works))
    try:
        async with aclosing(several_job(works, engine, saved=saved)) as events:
            async for event in events:
                if isinstance(event, Progress):
                    if on_progress is not None:
                        on_progress(event)
                elif isinstance(event, FinishedEach):
                    models = event
                elif isinstance(event, Update) and saved is not None:
                    outcome = event.known.outcome
                    if isinstance(outcome, ScoredResponse) and not event.known.partial:
                        saved.write({event.key: outcome})
    except ShiftLensError as error:
        if not keep_scored(works, error):
            raise
    finally:
        if saved is not None:
            for work in works:
                saved.write(work.complete())
            await saved.close()
    each = zip(works, choices, models.models, strict=True)
    return tuple(analysed(work, choice, base, aligned) for work, choice, (base, aligned) in each)

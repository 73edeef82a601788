"""From a transcript to its analyses under several aligned models beside one base model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Progress
from shiftlens.errors import TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.pipeline.analyse import Analysed, analysed, last_event
from shiftlens.pipeline.put_aside import PutAside
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.several_job import FinishedEach, several_job
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.pipeline.work import plan_work
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


async def analyse_several(
    engine: EngineClient,
    transcript: Transcript,
    choices: Sequence[Choice],
    *,
    store: ResultStore | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    aside: PutAside | None = None,
) -> tuple[Analysed, ...]:
    """As `analyse`, once for each choice; these differ in their aligned model alone (else ValueError).

    Each response is scored under all models that the store, or `aside`, has no scores of in one go.
    """
    options = choices[0].score_options
    if (why := why_nothing(transcript, options.parts)) is not None:
        raise TranscriptError(why[0], line=why[1])
    # Their keys tell the pairs apart, so that all may put their scores into one place.
    works = [
        await asyncio.to_thread(plan_work, transcript, each.pair, each.score_options, results=aside) for each in choices
    ]
    saved = None if store is None else SavedResults(store)
    last = await last_event(several_job(works, engine, saved=saved), works, saved, on_progress)
    models = last.models if isinstance(last, FinishedEach) else ((None, None),) * len(works)
    each = zip(works, choices, models, strict=True)
    return tuple(analysed(work, choice, base, aligned) for work, choice, (base, aligned) in each)

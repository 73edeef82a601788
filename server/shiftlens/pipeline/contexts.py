"""A file under several base contexts: its analysis under each, and how they compare."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

from shiftlens.analysis.contexts import FileContexts, contexts_of_file
from shiftlens.engine.client import EngineClient
from shiftlens.options.choice import Choice
from shiftlens.pipeline.analyse import Analysed, analyse
from shiftlens.pipeline.progress import OnProgress, among
from shiftlens.scores.outcomes import OutcomeCache
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


async def contexts(
    engine: EngineClient,
    transcript: Transcript,
    choice: Choice,
    named: Sequence[tuple[str, str]],
    *,
    store: ResultStore | None = None,
    cache: OutcomeCache | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Analysed, FileContexts]:
    """The analysis of a transcript under the first of these base contexts (name, context), and how it compares with
    those under the others. The AlignTDS code has a context of its own, so that its numbers are left out.

    Raises as `analyse`.
    """
    found: list[Analysed] = []
    for number, (name, base_context) in enumerate(named):
        options = dataclasses.replace(choice.score_options, base_context=base_context, compat="")
        under = dataclasses.replace(choice, score_options=options)
        each = among(on_progress, number, len(named), name)
        found.append(await analyse(engine, transcript, under, store=store, cache=cache, on_progress=each))
    compared = await asyncio.to_thread(
        contexts_of_file,
        [name for name, _ in named],
        [each.analysis for each in found],
        [each.refused for each in found],
    )
    return found[0], compared

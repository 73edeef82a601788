"""Swapping in one go: an answer is written anew, and up to so many of its tokens are the other model's choice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from shiftlens.analysis.cross_sampling import TOGETHER_ARMS, ArmResult, Sample, SwappedTogether
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.analysis.parting import parting
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Continue, Progress
from shiftlens.pipeline.cross_sample import CrossSampling
from shiftlens.pipeline.progress import as_one_of
from shiftlens.pipeline.voices import ALPHAS, Written, written
from shiftlens.scores.continuations import (
    ALIGNED_ALPHA,
    Begun,
    Swaps,
    Voice,
    WrittenToken,
    check_asked,
)
from shiftlens.scores.requests import Requests, ResponseToScore


async def swap_together(
    engine: EngineClient, analysis: Analysis, most: int, asked: CrossSampling
) -> AsyncGenerator[Progress | SwappedTogether, None]:
    """What comes of each response of an analysis, in their order, with progress between.

    A token is swapped where the base model's rank of it is one that makes it shifted. Closing the generator (use
    `contextlib.aclosing`) cancels what the engine does. Raises ScoringError, ModelError and EngineError.
    """
    asked.check()
    requests = Requests(analysis.transcript.responses, analysis.transcript.format)
    places = {response.index: place for place, response in enumerate(analysis.transcript.responses)}
    swaps = Swaps(most, analysis.classify_options.thresholds[1])
    check_asked([Voice(ALIGNED_ALPHA, swaps=swaps)], asked.sampling)
    count = len(analysis.responses)
    for number, found in enumerate(analysis.responses):
        work = _response(engine, analysis, requests[places[found.response.index]], found, swaps, asked)
        async with aclosing(work) as events:
            async for event in events:
                if isinstance(event, Progress):
                    yield as_one_of(event, number, count, f"response {number + 1} of {count}")
                else:
                    yield event


async def _response(
    engine: EngineClient,
    analysis: Analysis,
    response: ResponseToScore,
    found: ResponseAnalysis,
    swaps: Swaps,
    asked: CrossSampling,
) -> AsyncGenerator[Progress | SwappedTogether, None]:
    voices = tuple(
        Voice(ALPHAS[arm.model], seed, swaps=None if arm.behind == arm.model else swaps)
        for arm in TOGETHER_ARMS
        for seed in asked.seeds
    )
    request = Continue(
        pair=analysis.pair,
        options=analysis.score_options,
        response=response,
        position=0,
        voices=voices,
        sampling=asked.sampling,
    )
    async with aclosing(written(engine, request, "Answer")) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield event
            else:
                yield _measured(found, event, swaps, asked)


def _measured(found: ResponseAnalysis, came: Written, swaps: Swaps, asked: CrossSampling) -> SwappedTogether:
    begun = came.begun
    window = asked.sampling.max_tokens
    said_ends = found.has_end and len(begun.said) < window
    tokens = iter(came.tokens)
    arms = tuple(
        ArmResult(arm, tuple(_sample(seed, next(tokens), begun, window, said_ends=said_ends) for seed in asked.seeds))
        for arm in TOGETHER_ARMS
    )
    return SwappedTogether(found.response.index, swaps.most, begun.said, arms, begun.notes)


def _sample(
    seed: int | None, tokens: Sequence[WrittenToken], begun: Begun, window: int, *, said_ends: bool
) -> Sample:  # fmt: skip
    own = tuple(token.piece for token in tokens if token.end != "end")
    end = tokens[-1].end if tokens else ""
    found = parting(begun.said, own, said_ends=said_ends, end=end, window=window)
    return Sample(seed, own, end, found, tuple(at for at, token in enumerate(tokens) if token.is_swapped))

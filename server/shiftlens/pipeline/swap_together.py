"""Swapping in one go: an answer is written anew, and its most shifted tokens are the other model's choice.

Which tokens of an answer are the most shifted is known once it is written, and a text with swaps is another one. So
each arm is written twice with the same seed: without swaps first, which is its control and tells how great the base
ranks of its most shifted tokens are; then with a swap wherever the rank is as great as that, up to so many times.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from shiftlens.analysis.cross_sampling import TOGETHER_ARMS, Arm, ArmResult, Sample, Swap, SwappedTogether
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.analysis.parting import parting
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Continue, Progress
from shiftlens.pipeline.cross_sample import CrossSampling
from shiftlens.pipeline.progress import as_one_of
from shiftlens.pipeline.voices import ALPHAS, Written, written
from shiftlens.scores.continuations import (
    ALIGNED_ALPHA,
    NEVER,
    Begun,
    Swaps,
    Voice,
    WrittenToken,
    check_asked,
)
from shiftlens.scores.requests import Requests, ResponseToScore

_CONTROLS = tuple(arm for arm in TOGETHER_ARMS if arm.behind == arm.model)
_SWAPPED = tuple(arm for arm in TOGETHER_ARMS if arm.behind != arm.model)


async def swap_together(
    engine: EngineClient, analysis: Analysis, most: int, asked: CrossSampling
) -> AsyncGenerator[Progress | SwappedTogether, None]:
    """What comes of each response of an analysis, in their order, with progress between.

    A token is swapped where it is shifted, and as shifted as the `most` most shifted of its control. Closing the
    generator (use `contextlib.aclosing`) cancels what the engine does. Raises ScoringError, ModelError, EngineError.
    """
    asked.check()
    requests = Requests(analysis.transcript.responses, analysis.transcript.format)
    places = {response.index: place for place, response in enumerate(analysis.transcript.responses)}
    check_asked([Voice(ALIGNED_ALPHA, swaps=Swaps(most, NEVER))], asked.sampling)
    count = len(analysis.responses)
    for number, found in enumerate(analysis.responses):
        work = _response(engine, analysis, requests[places[found.response.index]], found, most, asked)
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
    most: int,
    asked: CrossSampling,
) -> AsyncGenerator[Progress | SwappedTogether, None]:
    def request(arms: Sequence[Arm], bars: Iterable[int]) -> Continue:
        voices = [(ALPHAS[arm.model], seed) for arm in arms for seed in asked.seeds]
        return Continue(
            pair=analysis.pair,
            options=analysis.score_options,
            response=response,
            position=0,
            voices=tuple(Voice(*voice, swaps=Swaps(most, bar - 1)) for voice, bar in zip(voices, bars, strict=True)),
            sampling=asked.sampling,
        )

    shifted = analysis.classify_options.thresholds[1]
    bars: list[int] = []
    controls: Written | None = None
    # With swaps that are never made, the base ranks come all the same.
    first = request(_CONTROLS, [NEVER] * len(_CONTROLS) * len(asked.seeds))
    async with aclosing(written(engine, first, "Answer")) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield as_one_of(event, 0, 2, "without swaps")
            else:
                controls = event
                bars = [bar_of(tokens, most, shifted) for tokens in event.tokens]
    if controls is None:
        return
    async with aclosing(written(engine, request(_SWAPPED, bars), "Answer")) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield as_one_of(event, 1, 2, "with swaps")
            else:
                yield _measured(found, controls, event, bars, most, asked)


def bar_of(control: Sequence[WrittenToken], most: int, shifted: int) -> int:
    """The least base rank among the `most` most shifted tokens of an answer; the least of any shifted token where there
    are fewer. Ranks up to `shifted` make no token shifted.
    """
    ranks = sorted((token.base_rank for token in control if token.base_rank > shifted), reverse=True)
    return ranks[most - 1] if len(ranks) >= most else shifted + 1


def _measured(
    found: ResponseAnalysis,
    controls: Written,
    swapped: Written,
    bars: Sequence[int],
    most: int,
    asked: CrossSampling,
) -> SwappedTogether:
    begun = controls.begun
    window = asked.sampling.max_tokens
    said_ends = found.has_end and len(begun.said) < window
    results: dict[str, ArmResult] = {}
    for arms, came, of_arms in ((_CONTROLS, controls, [0] * len(bars)), (_SWAPPED, swapped, bars)):
        written_and_bars = iter(zip(came.tokens, of_arms, strict=True))
        for arm in arms:
            samples = tuple(
                _sample(seed, *next(written_and_bars), begun, window, said_ends=said_ends) for seed in asked.seeds
            )
            results[arm.name] = ArmResult(arm, samples)
    in_order = tuple(results[arm.name] for arm in TOGETHER_ARMS)
    return SwappedTogether(found.response.index, most, begun.said, in_order, begun.notes)


def _sample(
    seed: int | None, tokens: Sequence[WrittenToken], bar: int, begun: Begun, window: int, *, said_ends: bool
) -> Sample:  # fmt: skip
    own = tuple(token.piece for token in tokens if token.end != "end")
    end = tokens[-1].end if tokens else ""
    found = parting(begun.said, own, said_ends=said_ends, end=end, window=window)
    swaps = tuple(Swap(at, token.replaced, token.base_rank) for at, token in enumerate(tokens) if token.is_swapped)
    return Sample(seed, own, end, found, swaps, bar)

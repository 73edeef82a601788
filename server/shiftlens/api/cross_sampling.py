"""`shiftlens.cross_sample(...)`: did a shifted token matter?"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from shiftlens.analysis.cross_sampling import CrossSampled, SwappedTogether
from shiftlens.api.inputs import ScoringOptions, Source, asked_of, named, with_an_engine
from shiftlens.engine.client import EngineClient
from shiftlens.errors import TranscriptError
from shiftlens.pipeline.analyse import analyse
from shiftlens.pipeline.cross_sample import CrossSampling, NotSampled, positions_asked
from shiftlens.pipeline.cross_sample import cross_sample as sample_positions
from shiftlens.pipeline.swap_together import swap_together
from shiftlens.report.cross_samples import CrossSamples
from shiftlens.scores.continuations import DEFAULT_SAMPLES, DEFAULT_TOKENS, Sampling
from shiftlens.text.lines import LineIndex

if TYPE_CHECKING:
    from typing_extensions import Unpack


def cross_sample(
    transcript: Source,
    *,
    base: str,
    aligned: str,
    at: int | tuple[int, int] | None = None,
    most: int | None = None,
    together: bool = False,
    response: int | None = None,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_tokens: int = DEFAULT_TOKENS,
    **options: Unpack[ScoringOptions],
) -> CrossSamples:
    """Test whether shifted tokens mattered: put the base model's choice in their place, go on, and measure how far that
    leads from the response, as `shiftlens cross-sample` does (docs/cross-sampling.md).

    `transcript`, `base`, `aligned` and `options` are those of `analyze`. What is swapped is either `at` a position (a
    number from 0 as in the tables, or a line and a column of the text, both from 1), or the `most` most shifted
    positions, each by itself, or with `together` in one go. `response` is the index, from 0, of the only response that
    is looked at; without it a position is one of the first response, and all responses are searched for the most
    shifted. (The command counts responses from 1.)

    Each arm has a greedy continuation and `samples` drawn ones (0 to 100), with the seeds from `seed` on, at a
    `temperature` and among the likeliest tokens that have `top_p` of the probability (0 to 1) together. `max_tokens`
    is how many tokens a continuation has at the most. Edit distances and common bigrams go from 0 to 1, ranks from 1.

    Uses the engine that `analyze` uses. `to_json` of the result is the command's JSON, `to_pandas` and `to_arrow` are
    tables with a row for each continuation, and `positions` and `together` hold all numbers. Positions at which there
    is nothing to swap are in `not_sampled`, each with a sentence.

    Raises what `analyze` raises; TranscriptError where there is no such response or position; ScoringError where
    continuations can't be had so; and ValueError unless one of `at` and `most` is given, and with `together`, `most`.
    """
    if (at is None) == (most is None):
        raise ValueError("Give one of `at` and `most`: which position, or how many of the most shifted.")
    if isinstance(at, int) and at < 0:
        raise ValueError("Positions count from 0.")
    if together and most is None:
        raise ValueError("`together` swaps up to so many tokens in one go: give their number as `most`.")
    if most is not None and most < 1:
        raise ValueError("`most` is a number of positions, from 1.")
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    asked = CrossSampling(samples=samples, seed=seed, sampling=sampling)
    asked.check()
    given = asked_of("cross_sample", transcript, base, aligned, options)
    found, text = given.transcript, given.text
    if response is not None:
        if not 0 <= response < len(found.responses):
            count = len(found.responses)
            raise TranscriptError(f"There is no response of index {response}: there are {count}, counted from 0.")
        found = replace(found, responses=(found.responses[response],))

    async def sampled(engine: EngineClient) -> CrossSamples:
        analysis = named(await analyse(engine, found, given.choice), given.name, text)
        if together and most is not None:
            async with aclosing(swap_together(engine, analysis, most, asked)) as swaps:
                swapped = [event async for event in swaps if isinstance(event, SwappedTogether)]
            return CrossSamples(analysis, asked, together=tuple(swapped), most=most)
        positions = positions_asked(analysis, LineIndex(text), at=at, most=most)
        async with aclosing(sample_positions(engine, analysis, positions, asked)) as events:
            each = [event async for event in events]
        return CrossSamples(
            analysis,
            asked,
            positions=tuple(event for event in each if isinstance(event, CrossSampled)),
            not_sampled=tuple(event for event in each if isinstance(event, NotSampled)),
        )

    return with_an_engine(sampled)

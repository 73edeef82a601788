"""Cross-sampling: have the engine go on behind swapped tokens, a position at a time, and measure what comes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from shiftlens.analysis.cross_sampling import (
    ARMS,
    Arm,
    ArmResult,
    CrossSampled,
    Sample,
    SwapPosition,
    most_shifted,
    swap_position,
)
from shiftlens.analysis.highlights import positions_at
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.analysis.parting import parting
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Continue, Progress
from shiftlens.errors import ScoringError, TranscriptError
from shiftlens.pipeline.progress import as_one_of
from shiftlens.pipeline.voices import ALPHAS, Written, written
from shiftlens.scores.continuations import (
    ALIGNED_ALPHA,
    MOST_SAMPLES,
    MOST_SEED,
    MOST_TOKENS,
    Sampling,
    Voice,
    check_asked,
)
from shiftlens.scores.requests import Requests, ResponseToScore
from shiftlens.text.lines import LineIndex

TWO_VOCABULARIES = (
    "The two models have two vocabularies: the base's choice stands as the aligned model's tokens of the same text, and"
    " the base model is not gone on with, since its tokens are not the response's."
)
NOTHING_TO_SWAP = "there is nothing to swap: the base model's first choice is what the response says"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossSampling:
    """How many samples each arm has beside its greedy one, drawn with the seeds from `seed` on, and how.

    `sampling.max_tokens` counts the tokens behind the swapped one.
    """

    samples: int
    seed: int
    sampling: Sampling

    @property
    def seeds(self) -> tuple[int | None, ...]:
        return (None, *range(self.seed, self.seed + self.samples))

    def check(self) -> None:
        """Raises ScoringError where that can't be done."""
        if not 0 <= self.samples <= MOST_SAMPLES:
            raise ScoringError(f"Each arm may have 0 to {MOST_SAMPLES} samples.", "Ask again with that.")
        if not 0 <= self.seed <= MOST_SEED - self.samples:
            raise ScoringError("Seeds go from 0 to 2^63 - 1.", "Ask again with that.")
        check_asked([Voice(ALIGNED_ALPHA)], self.sampling)
        if self.sampling.max_tokens == MOST_TOKENS:
            raise ScoringError(f"Behind a position at most {MOST_TOKENS - 1} tokens can follow.", "Ask for fewer.")


@dataclass(frozen=True, slots=True)
class NotSampled:
    """A position of which nothing came, and why, in a sentence."""

    position: SwapPosition
    message: str


def positions_asked(
    analysis: Analysis, lines: LineIndex, *, at: int | tuple[int, int] | None, most: int | None
) -> tuple[SwapPosition, ...]:
    """The `most` most shifted positions, or that which is `at`: a position of the first response, from 0, or a line and
    a column, both from 1, of the text that `lines` are of.

    Raises TranscriptError where there is none, or not enough is known of it.
    """
    if most is not None:
        return most_shifted(analysis, most)
    if at is None:
        raise ValueError("neither a position nor a number of them")
    if not analysis.responses:
        raise TranscriptError("No response of the file has scores.", "See what is said of it above.")
    chosen, row = analysis.responses[0], at
    if not isinstance(row, int):
        line, column = row
        offset = lines.offset(line - 1, column - 1, "utf-32")
        touched = [(found, positions_at(found, offset)) for found in analysis.responses]
        chosen, rows = next(((found, rows) for found, rows in touched if rows), (chosen, range(0)))
        if not rows:
            raise TranscriptError(
                f"Nothing that is scored stands at {line}:{column}.", "Name a line and a column inside of a response."
            )
        row = rows[0]
    elif row >= chosen.scored.rows:
        raise TranscriptError(
            f"Response {chosen.response.index + 1} has no position {row}: it has {chosen.scored.rows}, counted from 0.",
            "Name one of these, or another response.",
        )
    position = swap_position(chosen, row)
    if position is None:
        raise TranscriptError(
            f"What the base model would have said at position {row} is not known: it is inside of a group of tokens"
            " that the two models cut in other ways.",
            "Name the first position of the group.",
        )
    return (position,)


async def cross_sample(
    engine: EngineClient, analysis: Analysis, positions: Sequence[SwapPosition], asked: CrossSampling
) -> AsyncGenerator[Progress | CrossSampled | NotSampled, None]:
    """What comes of each position, in their order, with progress between.

    Closing the generator (use `contextlib.aclosing`) cancels what the engine does. Raises ScoringError where what is
    asked for can't be done at any position, ModelError and EngineError.
    """
    asked.check()
    requests = Requests(analysis.transcript.responses, analysis.transcript.format)
    places = {response.index: place for place, response in enumerate(analysis.transcript.responses)}
    by_index = {found.response.index: found for found in analysis.responses}
    for number, position in enumerate(positions):
        if not position.is_swap:
            yield NotSampled(position, f"At position {position.row} {NOTHING_TO_SWAP}.")
            continue
        response = requests[places[position.response]]
        work = _swaps(engine, analysis, response, by_index[position.response], position, asked)
        try:
            async with aclosing(work) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        name = f"position {number + 1} of {len(positions)}"
                        yield as_one_of(event, number, len(positions), name)
                    else:
                        yield event
        except ScoringError as error:
            yield NotSampled(position, f"{error.problem} {error.remedy}".strip())


async def _swaps(
    engine: EngineClient,
    analysis: Analysis,
    response: ResponseToScore,
    found: ResponseAnalysis,
    position: SwapPosition,
    asked: CrossSampling,
) -> AsyncGenerator[Progress | CrossSampled, None]:
    """What comes of one position."""
    scored = found.pair_scores
    one_vocabulary = scored.comparison.alignment is None
    arms = ARMS if one_vocabulary else tuple(arm for arm in ARMS if arm.model == "aligned")
    ends = {"aligned": scored.aligned.end_id, "base": scored.base.end_id}
    voices = tuple(
        Voice(ALPHAS[arm.model], seed, _instead(position, arm, ends, one_vocabulary=one_vocabulary))
        for arm in arms
        for seed in asked.seeds
    )
    request = Continue(
        pair=analysis.pair,
        options=analysis.score_options,
        response=response,
        position=position.row,
        voices=voices,
        # The swapped token counts as well.
        sampling=_with_tokens(asked.sampling, asked.sampling.max_tokens + 1),
    )
    async with aclosing(written(engine, request, "Continuation")) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield event
            else:
                yield _measured(position, event, arms, asked, has_end=found.has_end)


def _with_tokens(sampling: Sampling, count: int) -> Sampling:
    """The same with so many tokens."""
    return Sampling(temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=count)


def _instead(position: SwapPosition, arm: Arm, ends: dict[str, int], *, one_vocabulary: bool) -> int | str:
    """What a model is to begin with. What ends the response ends it for either model, each by its own token."""
    choice = position.choice(arm.behind)
    if choice.ends:
        return ends[arm.model]
    if one_vocabulary or arm.behind != "base":
        return choice.id
    try:
        return choice.piece.decode("utf-8")
    except UnicodeDecodeError:
        raise ScoringError(
            f"At position {position.row} the base model's choice is a part of a character, which the aligned model,"
            " having another vocabulary, has no token for.",
            "Name another position.",
        ) from None


def _measured(
    position: SwapPosition,
    came: Written,
    arms: Sequence[Arm],
    asked: CrossSampling,
    *,
    has_end: bool,
) -> CrossSampled:
    begun, seeds, most = came.begun, asked.seeds, asked.sampling.max_tokens + 1
    is_whole = len(begun.said) < most
    results = []
    for number, arm in enumerate(arms):
        samples = []
        for at, seed in enumerate(seeds):
            tokens = came.tokens[number * len(seeds) + at]
            own = tuple(token.piece for token in tokens if not token.is_given and token.end != "end")
            given = sum(token.is_given for token in tokens)
            end = tokens[-1].end if tokens else ""
            found = parting(begun.said[1:], own, said_ends=has_end and is_whole, end=end, window=max(1, most - given))
            samples.append(Sample(seed, own, end, found))
        results.append(ArmResult(arm, tuple(samples)))
    notes = begun.notes if len(arms) == len(ARMS) else (*begun.notes, TWO_VOCABULARIES)
    return CrossSampled(position, begun.said, tuple(results), notes)

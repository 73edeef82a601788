"""What the voices of a continuation write, waited for to their ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Began, Continue, Progress, Wrote
from shiftlens.errors import ScoringError
from shiftlens.scores.continuations import ALIGNED_ALPHA, BASE_ALPHA, Begun, WrittenToken

ALPHAS = {"base": BASE_ALPHA, "aligned": ALIGNED_ALPHA}
"""How the models are mixed where one of them goes on by itself."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a request: how it began, and the tokens of each voice, in the order of the voices."""

    begun: Begun
    tokens: tuple[tuple[WrittenToken, ...], ...]


async def written(engine: EngineClient, request: Continue, name: str) -> AsyncGenerator[Progress | Written, None]:
    """Have a request done: progress, and at last what was written. `name` is what one voice writes, in a word.

    Closing the generator (use `contextlib.aclosing`) cancels the job. Raises ScoringError, ModelError, EngineError.
    """
    begun: Begun | None = None
    count = len(request.voices)
    tokens: list[list[WrittenToken]] = [[] for _ in range(count)]
    async with aclosing(engine.run(request)) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield event
            elif isinstance(event, Began):
                begun = event.begun
            elif isinstance(event, Wrote):
                tokens[event.voice].append(event.token)
                if event.token.end:
                    done = event.voice + 1
                    message = f"{name} {done} of {count}"
                    yield Progress(job=0, phase="scoring", fraction=done / count, message=message)
    if begun is None:
        raise ScoringError("The engine wrote nothing.", "This is a fault of ShiftLens.")
    yield Written(begun, tuple(map(tuple, tokens)))

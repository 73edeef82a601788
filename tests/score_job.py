"""A scoring job with a listener for each kind of event, for tests that look at the events one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Progress, Refused, ResponseToScore, Score, Scored
from shiftlens.options.pair import PairSpec, ScoreOptions


async def score(
    client: EngineClient,
    pair: PairSpec,
    options: ScoreOptions,
    responses: Sequence[ResponseToScore],
    *,
    document: str = "",
    on_progress: Callable[[Progress], object] | None = None,
    on_scored: Callable[[Scored], object] | None = None,
    on_refused: Callable[[Refused], object] | None = None,
) -> Done:
    """`EngineClient.run` of a Score. Cancelling the awaiting task cancels the job."""
    request = Score(pair=pair, options=options, responses=tuple(responses), document=document)
    done: Done | None = None
    async with aclosing(client.run(request)) as events:
        async for event in events:
            if isinstance(event, Done):
                done = event
            elif isinstance(event, Progress):
                if on_progress is not None:
                    on_progress(event)
            elif isinstance(event, Scored):
                if on_scored is not None:
                    on_scored(event)
            elif on_refused is not None:
                on_refused(event)
    assert done is not None
    return done

"""Shards of a run on a Ray cluster, an actor for each, with an engine process of its own.

Ray comes with the extra `ray`, and is imported when it is asked for. All machines need this environment, the models,
the corpus and the folder of the output at the same paths: shards write there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

from shiftlens.corpora.journal import Journal, Plan, Progress
from shiftlens.corpora.output import Output
from shiftlens.corpora.reading import CorpusReader
from shiftlens.corpora.runner import Status
from shiftlens.corpora.shards import Shard, join_shards, score_shard, shards_of, together
from shiftlens.errors import ShiftLensError
from shiftlens.options.choice import Choice

_CPUS_OF_ACTOR = 0.25
"""Ray's own tasks need CPUs beside the actors: where these reserve all that there are, nothing goes on."""
_SECONDS_BETWEEN_LOOKS = 2.0


def needs_ray() -> None:
    """Raise ShiftLensError where Ray is not installed."""
    try:
        import ray  # noqa: F401
    except ImportError:
        raise ShiftLensError(
            "--engine ray needs Ray, which is not installed here.", "Install it: pip install 'shiftlens[ray]'."
        ) from None


class ShardWorker:
    """An actor: scores one shard. It works in the folder of the command, by which files are named."""

    def __init__(self, folder: str) -> None:
        os.chdir(folder)
        self._status = Status(Progress(), 0.0)

    async def score(self, shard: Shard, output: Output, plan: Plan, reader: CorpusReader, choice: Choice) -> Progress:
        """See `score_shard`."""
        from shiftlens.engine.client import EngineClient, Sharing

        engine = EngineClient(sharing=Sharing.OWN)
        try:
            return await score_shard(shard, output, plan, engine, reader, choice, self._note)
        finally:
            await engine.close()

    async def status(self) -> Status:
        """How far it is."""
        return self._status

    def _note(self, status: Status) -> None:
        self._status = status


async def run_on_ray(
    workers: int,
    gpus: float,
    output: Output,
    plan: Plan,
    journal: Journal,
    reader: CorpusReader,
    choice: Choice,
    on_status: Callable[[Status], None],
) -> Progress:
    """Score what is left of a run by so many actors, `gpus` for each, and join what they wrote.

    Raises ShiftLensError, also where an actor ends; the same command goes on then.
    """
    needs_ray()
    import ray

    if not journal.progress.is_read:
        shards = shards_of(output, journal, workers)
        ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
        try:
            actor = ray.remote(num_cpus=_CPUS_OF_ACTOR, num_gpus=gpus)(ShardWorker)
            actors = [actor.remote(str(os.getcwd())) for _ in shards]  # noqa: PTH109
            whole = Output(output.path.resolve())
            jobs = [
                each.score.remote(shard, whole, plan, reader, choice)
                for each, shard in zip(actors, shards, strict=True)
            ]
            await _all_done(jobs, actors, journal.progress, on_status)
        finally:
            ray.shutdown()
    else:
        shards = ()
    await asyncio.to_thread(join_shards, shards, output, journal, on_status)
    return journal.progress


async def _all_done(
    jobs: Sequence[Any], actors: Sequence[Any], before: Progress, on_status: Callable[[Status], None]
) -> None:
    import ray

    waiting = list(jobs)
    try:
        while waiting:
            done, waiting = await asyncio.to_thread(ray.wait, waiting, timeout=_SECONDS_BETWEEN_LOOKS)
            await asyncio.to_thread(ray.get, done)
            found: list[Status] = await asyncio.to_thread(ray.get, [each.status.remote() for each in actors])
            on_status(_together(before, found))
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, ShiftLensError):
            raise cause from None
        raise ShiftLensError(f"A worker failed: {' '.join(str(cause).split())}.") from None
    except ray.exceptions.RayError as error:
        raise ShiftLensError(f"A worker ended: {' '.join(str(error).split())[:300]}.") from None


def _together(before: Progress, found: Sequence[Status]) -> Status:
    """What is done by all of them; the slowest tells how much of the corpus that is."""
    done = min((status.done for status in found if status.done >= 0), default=0.0)
    return Status(together(before, [status.progress for status in found]), done)

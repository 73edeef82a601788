"""Doing the jobs: what each request asks for, in terms of models and scoring."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing

import torch

from shiftlens.engine.environment import wait_policy_in_words
from shiftlens.engine.protocol import (
    Cancelled,
    Describe,
    Described,
    Done,
    EngineState,
    Failed,
    Forget,
    Held,
    Progress,
    Reply,
    Score,
    Unload,
)
from shiftlens.engine.worker.pairs import OpenedPair, PairHolder
from shiftlens.engine.worker.score_request import ScoreRequest
from shiftlens.engine.worker.urgency import niceness
from shiftlens.errors import ShiftLensError


def _state() -> EngineState:
    return EngineState(
        threads=torch.get_num_threads(),
        cores=_cores(),
        waiting=wait_policy_in_words(os.environ),
        niceness=niceness(),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_END = object()


class JobCancelled(BaseException):
    """Raised between stretches of a job that its client cancelled.

    No Exception: libraries that it is raised through catch those.
    """


class Worker:
    """Does one job at a time. `send` takes replies, `is_cancelled` tells of jobs to be left."""

    def __init__(self, send: Callable[[Reply], None], is_cancelled: Callable[[int], bool]) -> None:
        self._send = send
        self._is_cancelled = is_cancelled
        self._pairs = PairHolder()

    def held(self) -> Held:
        """What is held in memory beside the weights."""
        # Asked of a machine without CUDA, or before it is used, this is 0 and starts nothing.
        return Held(kv_bytes=self._pairs.kv_bytes, cuda_bytes=torch.cuda.memory_reserved())

    def do(self, request: Score | Describe | Unload | Forget) -> None:
        """Do a job and answer it, whatever happens."""
        for _ in self.steps(request):
            pass

    def steps(self, request: Score | Describe | Unload | Forget) -> Iterator[None]:
        """The same in steps; between two of them other jobs can be done."""
        try:
            self._check(request.job)
            if isinstance(request, Score):
                yield from self._score(request)
            elif isinstance(request, Describe):
                pair = self._open(request)
                self._send(
                    Described(
                        job=request.job,
                        base=pair.base.description,
                        aligned=pair.aligned.description,
                        engine=_state(),
                    )
                )
            elif isinstance(request, Forget):
                self._pairs.forget(request.client, request.document)
            else:
                self._pairs.clear()
                self._send(Done(job=request.job))
        except JobCancelled:
            self._send(Cancelled(job=request.job))
        except ShiftLensError as error:
            self._send(Failed(job=request.job, kind=type(error).__name__, problem=error.problem, remedy=error.remedy))
        except (MemoryError, torch.OutOfMemoryError):
            self._pairs.clear()
            self._send(
                Failed(
                    job=request.job,
                    kind="ScoringError",
                    problem="There was not enough memory to score this.",
                    remedy="Choose a smaller dtype, another device, or smaller models.",
                )
            )
        except Exception as error:
            # A model's own code can raise anything; the client must hear of it, and the next job must go on.
            # Not the message, which may quote the transcript: this is kept in a log.
            print("".join(traceback.format_tb(error.__traceback__)), type(error).__name__, file=sys.stderr, flush=True)
            said = str(error).strip().splitlines()[:1]
            self._send(
                Failed(
                    job=request.job,
                    kind="EngineError",
                    problem=f"Scoring failed in the engine: {type(error).__name__}: {''.join(said)}",
                    remedy="The engine's log has the details.",
                )
            )

    def _check(self, job: int) -> None:
        if self._is_cancelled(job):
            raise JobCancelled

    def _open(self, request: Score | Describe) -> OpenedPair:
        def report(message: str, fraction: float) -> None:
            self._check(request.job)
            self._send(Progress(job=request.job, phase="loading", fraction=fraction, message=message))

        return self._pairs.open(request.pair, report)

    def _score(self, request: Score) -> Iterator[None]:
        pair = self._open(request)
        steps = ScoreRequest(request, pair, self._send, lambda: self._check(request.job)).steps()
        with closing(steps):
            while True:
                # Jobs take turns: between two steps another one may have kept something.
                pair.memory.owner = (request.client, request.document)
                if next(steps, _END) is _END:
                    break
                yield
        self._send(Done(job=request.job, base=pair.base.description, aligned=pair.aligned.description))

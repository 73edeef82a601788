"""What the engine process does for each request, with a scoring session."""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing

import torch

from shiftlens.backends.servers import Servers
from shiftlens.engine.environment import wait_policy_in_words
from shiftlens.engine.protocol import (
    Began,
    Cancelled,
    Continue,
    Describe,
    Described,
    Done,
    EngineState,
    Failed,
    Forget,
    Job,
    MemoryReport,
    ModelInMemory,
    Progress,
    Rank,
    Ranked,
    Refused,
    Reply,
    Score,
    Scored,
    ScoreSeveral,
    Unload,
    Wrote,
)
from shiftlens.engine.worker.urgency import niceness
from shiftlens.errors import ModelError, ShiftLensError
from shiftlens.options.pair import PairSpec
from shiftlens.scores.continuations import Begun
from shiftlens.scoring import events
from shiftlens.scoring.continuing.ranks import ranked
from shiftlens.scoring.continuing.run import Continuing
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.session import Session


def _state() -> EngineState:
    return EngineState(
        threads=torch.get_num_threads(),
        cores=_cores(),
        waiting=wait_policy_in_words(os.environ),
        niceness=niceness(),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class JobCancelled(BaseException):
    """Raised between chunks of a job that its client cancelled.

    No Exception: libraries that it is raised through catch those.
    """


class Worker:
    """Does jobs in steps. `send` takes replies; `is_cancelled` says by the number of a job whether it was cancelled."""

    def __init__(
        self, send: Callable[[Reply], None], is_cancelled: Callable[[int], bool], session: Session | None = None
    ) -> None:
        self._send = send
        self._is_cancelled = is_cancelled
        self.session = session or Session(kinds=[Servers()])
        self._goes: dict[int, tuple[PairSpec, ...]] = {}
        self._elsewhere: set[int] = set()

    def memory(self) -> MemoryReport:
        """What is in memory now."""
        return MemoryReport(
            kv_bytes=self.session.kv_bytes,
            # Asked of a machine without CUDA, or before it is used, this is 0 and starts nothing.
            cuda_bytes=torch.cuda.memory_reserved(),
            models=tuple(
                ModelInMemory(
                    name=each.name,
                    bytes=each.nbytes,
                    device=each.device,
                    dtype=each.dtype,
                    adapter_of=each.adapter_of,
                )
                for each in self.session.models()
            ),
        )

    def needs(self, request: Job | Unload | Forget) -> tuple[PairSpec, ...]:
        """The pairs that the next step of a job needs in memory."""
        if not isinstance(request, Job) or self._is_cancelled(request.job) or request.job in self._elsewhere:
            return ()
        return self._goes.get(request.job, ()) if isinstance(request, ScoreSeveral) else (request.pair,)

    def steps(self, request: Job | Unload | Forget) -> Iterator[None]:
        """Do a job and answer it, whatever happens, in steps; between two of them other jobs can be done."""
        try:
            self._check(request.job)
            if isinstance(request, Score):
                yield from self._score(request)
            elif isinstance(request, ScoreSeveral):
                yield from self._score_several(request)
            elif isinstance(request, Describe):
                yield from self._describe(request)
            elif isinstance(request, Continue):
                yield from self._continue(request)
            elif isinstance(request, Rank):
                self._rank(request)
            elif isinstance(request, Forget):
                self.session.forget(request.client, request.document)
            else:
                self.session.unload()
                self._send(Done(job=request.job))
        except JobCancelled:
            self._send(Cancelled(job=request.job))
        except ShiftLensError as error:
            kind = "ModelError" if isinstance(error, ModelError) else type(error).__name__
            self._send(Failed(job=request.job, kind=kind, problem=error.problem, remedy=error.remedy))
        except (MemoryError, torch.OutOfMemoryError):
            self.session.unload()
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
        finally:
            self._elsewhere.discard(request.job)

    def _check(self, job: int) -> None:
        if self._is_cancelled(job):
            raise JobCancelled

    def _on_loading(self, job: int) -> Callable[[str, float], None]:
        def report(message: str, fraction: float) -> None:
            self._check(job)
            self._send(Progress(job=job, phase="loading", fraction=fraction, message=message))

        return report

    def _describe(self, request: Describe) -> Iterator[None]:
        base, aligned = yield from self.session.describing(
            request.pair, self._on_loading(request.job), lambda: self._check(request.job)
        )
        about_base, about_aligned = yield from self.session.trying_out(request.pair, lambda: self._check(request.job))
        self._send(
            Described(
                job=request.job,
                base=base,
                aligned=aligned,
                engine=_state(),
                about_base=about_base,
                about_aligned=about_aligned,
            )
        )

    def _score(self, request: Score) -> Iterator[None]:
        run = Run(
            request.options,
            request.responses,
            lambda: self._check(request.job),
            (request.client, request.document),
            request.remember,
        )
        done = Done(job=request.job)
        with closing(self.session.steps(request.pair, run, self._on_loading(request.job))) as steps:
            for happened in steps:
                for event in happened:
                    if isinstance(event, events.Opened):
                        done = Done(job=request.job, base=event.base, aligned=event.aligned_model)
                    elif isinstance(event, events.Needs):
                        self._needs(request.job, event)
                    else:
                        self._send(_reply(request.job, event))
                yield
        self._send(done)

    def _needs(self, job: int, event: events.Needs) -> None:
        if event.models:
            self._elsewhere.discard(job)
        else:
            self._elsewhere.add(job)

    def _score_several(self, request: ScoreSeveral) -> Iterator[None]:
        pairs, job = request.pairs, request.job
        run = Run(request.options, request.responses, lambda: self._check(job), remember=False)
        opened: dict[int, events.Opened] = {}
        fractions = [0.0] * len(pairs)
        try:
            for numbers in self.session.goes(pairs):
                # Whose turn it is next hangs on the models that this go needs.
                self._goes[job] = tuple(pairs[number] for number in numbers)
                self._elsewhere.discard(job)
                yield
                with closing(self.session.steps_several(pairs, numbers, run, self._on_loading(job))) as steps:
                    for happened in steps:
                        for event in happened:
                            if isinstance(event, events.Opened):
                                opened[event.aligned] = event
                            elif isinstance(event, events.Needs):
                                self._needs(job, event)
                            elif isinstance(event, events.Progress):
                                fractions[event.aligned] = event.fraction
                                together = sum(fractions) / len(pairs)
                                self._send(_reply(job, dataclasses.replace(event, fraction=together)))
                            else:
                                self._send(_reply(job, event))
                        yield
        finally:
            self._goes.pop(job, None)
        first, *others = (opened[number].aligned_model for number in range(len(pairs)))
        self._send(Done(job=job, base=opened[0].base, aligned=first, also=tuple(others)))

    def _continue(self, request: Continue) -> Iterator[None]:
        asked = Continuing(
            request.response,
            request.options,
            request.position,
            request.voices,
            request.sampling,
            lambda: self._check(request.job),
        )
        done = Done(job=request.job)
        with closing(self.session.continuations(request.pair, asked, self._on_loading(request.job))) as steps:
            for happened in steps:
                for event in happened:
                    if isinstance(event, events.Opened):
                        done = Done(job=request.job, base=event.base, aligned=event.aligned_model)
                    elif isinstance(event, Begun):
                        self._send(Began(job=request.job, begun=event))
                    else:
                        self._send(Wrote(job=request.job, voice=event.voice, token=event.token))
                yield
        self._send(done)

    def _rank(self, request: Rank) -> None:
        def check() -> None:
            self._check(request.job)

        with self.session.open_here(request.pair, self._on_loading(request.job)) as pair:
            found = ranked(pair, request.response, request.options, request.position, request.text, check)
            base, aligned = pair.base.description, pair.aligned.description
        self._send(Ranked(job=request.job, base=base, aligned=aligned, ranked=found))


def _reply(job: int, event: events.Progress | events.Scored | events.Refused) -> Reply:
    """The message that tells of an event."""
    if isinstance(event, events.Progress):
        return Progress(
            job=job,
            phase="scoring",
            fraction=event.fraction,
            message=f"Scoring response {event.index + 1} of {event.count}{', ' if event.said else ''}{event.said}",
            part=(event.index + 1, event.count),
        )
    if isinstance(event, events.Refused):
        return Refused(job=job, index=event.index, problem=event.problem, remedy=event.remedy, aligned=event.aligned)
    return Scored(
        job=job,
        index=event.index,
        scored=event.scored,
        partial=event.partial,
        matrix_library=event.matrix_library,
        aligned=event.aligned,
    )

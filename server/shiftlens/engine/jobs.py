"""Doing the jobs: what each request asks for, in terms of models and scoring."""

from __future__ import annotations

import sys
import time
import traceback
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import torch

from shiftlens.engine.pairs import OpenedPair, PairHolder
from shiftlens.engine.protocol import (
    Cancelled,
    Describe,
    Described,
    Done,
    Failed,
    Held,
    Progress,
    Refused,
    Reply,
    Score,
    Scored,
    Unload,
)
from shiftlens.errors import ScoringError, ShiftLensError
from shiftlens.models.prepare import Prepared
from shiftlens.scoring.apart import score_apart
from shiftlens.scoring.batches import batches, limits_of
from shiftlens.scoring.columns import ScoredResponse
from shiftlens.scoring.head import Heads
from shiftlens.scoring.pack import pack, pack_apart
from shiftlens.scoring.plan import PassPlan, plan_passes
from shiftlens.scoring.rows import PairRows
from shiftlens.scoring.teacher_forcing import Scorer

COMPAT_TOP_K = 30
"""Candidates that AlignTDS keeps per position."""

_SECONDS_BETWEEN_PARTIALS = 0.3


class JobCancelled(Exception):
    """Raised between stretches of a job that its client cancelled."""


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

    def do(self, request: Score | Describe | Unload) -> None:
        """Do a job and answer it, whatever happens."""
        for _ in self.steps(request):
            pass

    def steps(self, request: Score | Describe | Unload) -> Iterator[None]:
        """The same in steps; between two of them other jobs can be done."""
        try:
            self._check(request.job)
            if isinstance(request, Score):
                yield from self._score(request)
            elif isinstance(request, Describe):
                pair = self._open(request)
                self._send(Described(job=request.job, base=pair.base.description, aligned=pair.aligned.description))
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
        ready: list[Prepared] = []
        places: list[int] = []
        for place, response in enumerate(request.responses):
            self._check(request.job)
            try:
                ready.append(pair.prepare(response, request.options))
                places.append(place)
            except ScoringError as error:
                self._send(Refused(job=request.job, index=place, problem=error.problem, remedy=error.remedy))
            yield
        if ready:
            yield from _Scoring(request, pair, ready, places, self._send, lambda: self._check(request.job)).steps()
        self._send(Done(job=request.job, base=pair.base.description, aligned=pair.aligned.description))


class _Scoring:
    """The scoring part of a request: passes in batches, each response sent as soon as its rows are there."""

    def __init__(
        self,
        request: Score,
        pair: OpenedPair,
        ready: Sequence[Prepared],
        places: Sequence[int],
        send: Callable[[Reply], None],
        check: Callable[[], None],
    ) -> None:
        self._request, self._pair, self._ready, self._places = request, pair, ready, places
        self._send, self._check = send, check
        self._with_decoded = request.options.compat == "aligntds"
        self._rows = sum(len(prepared.ids) + 1 for prepared in ready)
        self._rows_done = 0
        self._partial_sent = 0.0

    def steps(self) -> Iterator[None]:
        """Do it, stopping after each stretch."""
        base, aligned = self._pair.base.causal, self._pair.aligned.causal
        top_k = COMPAT_TOP_K if self._with_decoded else self._request.options.top_k
        if not self._pair.same_tokens:
            yield from self._apart(top_k)
            return
        scorer = Scorer(base, aligned, Heads(base, aligned, top_k), top_k, self._pair.memory)
        for group in batches(plan_passes(self._ready), scorer.limits.batch, scorer.longest):
            self._check()
            if len(group) == 1:
                yield from self._one(scorer, group[0])
            else:
                for plan, rows in zip(group, scorer.score_together(group, self._check), strict=True):
                    self._report(plan, rows, before=0)
                yield

    def _apart(self, top_k: int) -> Iterator[None]:
        """For a pair of two vocabularies: response by response, each model by itself."""
        base, aligned = self._pair.base, self._pair.aligned
        models, encoders = (base.causal, aligned.causal), (base.loaded.encoder, aligned.loaded.encoder)
        stretch = limits_of(base.causal.device, base.causal.parameters + aligned.causal.parameters).stretch
        for place, prepared in zip(self._places, self._ready, strict=True):
            self._tell(place)
            rows = score_apart(models, encoders, prepared, top_k, stretch, self._check)
            self._rows_done += len(prepared.ids) + 1
            vocabularies = (base.description.vocabulary, aligned.description.vocabulary)
            self._send_packed(place, pack_apart(prepared, rows, encoders, vocabularies), partial=False)
            yield

    def _one(self, scorer: Scorer, plan: PassPlan) -> Iterator[None]:
        before = 0
        for collector in scorer.score(plan, self._check):
            self._report(plan, collector.all(), before)
            before = collector.rows
            yield

    def _report(self, plan: PassPlan, rows: PairRows, before: int) -> None:
        """Send what is new of a pass of which `before` rows had been reported."""
        done = len(rows.kl)
        self._rows_done += done - before
        reached = min(bisect_right(plan.ends, done), len(plan.members) - 1)
        self._tell(self._places[plan.members[reached]])
        starts = (0, *plan.ends)
        for member, start, end in zip(plan.members, starts, plan.ends, strict=False):
            if before < end <= done:
                self._send_scored(member, rows.part(start, end), partial=False)
            elif start < done < end and time.monotonic() - self._partial_sent > _SECONDS_BETWEEN_PARTIALS:
                self._partial_sent = time.monotonic()
                self._send_scored(member, rows.part(start, done), partial=True)

    def _send_scored(self, member: int, rows: PairRows, *, partial: bool) -> None:
        pair = self._pair
        scored = pack(
            self._ready[member],
            rows,
            pair.aligned.loaded.encoder,
            vocabularies=(pair.base.description.vocabulary, pair.aligned.description.vocabulary),
            with_decoded=self._with_decoded,
        )
        self._send_packed(self._places[member], scored, partial=partial)

    def _send_packed(self, place: int, scored: ScoredResponse, *, partial: bool) -> None:
        prints = self._pair.fingerprints
        self._send(Scored(job=self._request.job, index=place, scored=scored, partial=partial, fingerprints=prints))

    def _tell(self, place: int) -> None:
        count = len(self._request.responses)
        self._send(
            Progress(
                job=self._request.job,
                phase="scoring",
                fraction=self._rows_done / self._rows,
                message=f"Scoring response {place + 1} of {count}",
                part=(place + 1, count),
            )
        )

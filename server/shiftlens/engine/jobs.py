"""Doing the jobs: what each request asks for, in terms of models and scoring."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator

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
from shiftlens.models.conversation import ResponseToScore
from shiftlens.models.loading import LoadedModel
from shiftlens.models.prepare import Prepared, PreparedSide
from shiftlens.scoring.pack import pack
from shiftlens.scoring.teacher_forcing import score_rows

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
        """The same in steps; between two of them (two responses, say) other jobs can be done."""
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
        for index, response in enumerate(request.responses):
            self._check(request.job)
            try:
                self._score_one(request, pair, index, response)
            except ScoringError as error:
                self._send(Refused(job=request.job, index=index, problem=error.problem, remedy=error.remedy))
            yield
        self._send(Done(job=request.job, base=pair.base.description, aligned=pair.aligned.description))

    def _score_one(self, request: Score, pair: OpenedPair, index: int, response: ResponseToScore) -> None:
        compat = request.options.compat == "aligntds"
        prepared = pair.prepare(response, request.options)
        _check_length(pair.base.loaded, prepared.base, prepared)
        _check_length(pair.aligned.loaded, prepared.aligned, prepared)
        encoder = pair.aligned.loaded.encoder
        vocabularies = (pair.base.description.vocabulary, pair.aligned.description.vocabulary)
        top_k = COMPAT_TOP_K if compat else request.options.top_k
        rows = len(prepared.ids) + 1
        count = len(request.responses)
        sent = 0.0
        passes = score_rows(
            pair.base.causal, pair.aligned.causal, prepared, top_k, lambda: self._check(request.job), pair.memory
        )
        for collector in passes:
            done = collector.rows == rows
            self._send(
                Progress(
                    job=request.job,
                    phase="scoring",
                    fraction=(index + collector.rows / rows) / count,
                    message=f"Scoring response {index + 1} of {count}",
                    part=(index + 1, count),
                )
            )
            now = time.monotonic()
            if done or now - sent > _SECONDS_BETWEEN_PARTIALS:
                sent = now
                scored = pack(prepared, collector.all(), encoder, vocabularies=vocabularies, with_decoded=compat)
                self._send(
                    Scored(
                        job=request.job, index=index, scored=scored, partial=not done, fingerprints=pair.fingerprints
                    )
                )


def _check_length(loaded: LoadedModel, side: PreparedSide, prepared: Prepared) -> None:
    needed = len(side.prefix_ids) + len(prepared.ids)
    limit = loaded.max_positions
    if limit is not None and needed > limit:
        raise ScoringError(
            f"{loaded.name} takes {limit} tokens, but the context ({len(side.prefix_ids)}) and the response"
            f" ({len(prepared.ids)}) together have {needed}.",
            "Choose models with a longer context, or shorten the conversation; nothing is cut off silently.",
        )

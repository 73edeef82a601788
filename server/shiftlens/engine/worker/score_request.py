"""The scoring of a request's responses: prepared by portions, scored in passes, sent when their rows are there."""

from __future__ import annotations

import dataclasses
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from shiftlens.engine.protocol import Progress, Refused, Reply, Score, Scored
from shiftlens.engine.worker.broken import no_numbers
from shiftlens.engine.worker.pairs import OpenedPair
from shiftlens.errors import ScoringError
from shiftlens.scores.description import scoring_model
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.inputs.template_limits import template_budget
from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.pack import pack
from shiftlens.scoring.numbers.rows import PairRows
from shiftlens.scoring.passes.batches import batches
from shiftlens.scoring.passes.plan import PassPlan, plan_passes
from shiftlens.scoring.passes.teacher_forcing import Scorer

COMPAT_TOP_K = 30
"""Candidates that AlignTDS keeps per position."""

_SECONDS_BETWEEN_PARTIALS = 0.3
_FIRST_PORTION, _PORTION = 8, 64


class ScoreRequest:
    """One request at work. `send` takes replies; `check` is called between stretches and may raise."""

    def __init__(
        self, request: Score, pair: OpenedPair, send: Callable[[Reply], None], check: Callable[[], None]
    ) -> None:
        self._request, self._pair, self._send, self._check = request, pair, send, check
        self._with_decoded = request.options.compat == "aligntds"
        self._top_k = COMPAT_TOP_K if self._with_decoded else request.options.top_k
        self._portion = range(0)
        self._ready: list[Prepared] = []
        self._places: list[int] = []
        self._rows_done = 0
        self._partial_sent = 0.0

    def steps(self) -> Generator[None, None, None]:
        """Do it, stopping after each stretch, so that other jobs can be done between."""
        for portion in portions(len(self._request.responses)):
            yield from self._prepare(portion)
            if self._ready:
                yield from self._in_passes()

    def _prepare(self, portion: range) -> Iterator[None]:
        self._portion, self._ready, self._places, self._rows_done = portion, [], [], 0
        for place in portion:
            self._check()
            try:
                with template_budget(self._check):
                    prepared = self._pair.prepare(self._request.responses[place], self._request.options)
                self._ready.append(prepared)
                self._places.append(place)
            except ScoringError as error:
                self._refuse(place, error)
            yield

    def _in_passes(self) -> Iterator[None]:
        scorer = self._pair.scorer(self._top_k)
        for group in batches(plan_passes(self._ready), scorer.limits.batch, scorer.longest):
            self._check()
            if len(group) == 1:
                yield from self._one(scorer, group[0])
            else:
                for plan, rows in zip(group, scorer.score_together(group, self._check), strict=True):
                    if rows.first_broken() is None:
                        self._report(plan, rows, before=0)
                    else:
                        yield from self._each_alone(scorer, plan.members)
                yield

    def _one(self, scorer: Scorer, plan: PassPlan) -> Iterator[None]:
        before = 0
        with closing(scorer.score(plan, self._check)) as passing:
            for collector in passing:
                rows = collector.all()
                if rows.first_broken() is not None:
                    break
                self._report(plan, rows, before)
                before = collector.rows
                yield
            else:
                return
        finished = bisect_right(plan.ends, before)
        self._rows_done -= before - (0, *plan.ends)[finished]
        yield from self._each_alone(scorer, plan.members[finished:])

    def _each_alone(self, scorer: Scorer, members: Sequence[int]) -> Iterator[None]:
        """Score responses again, of which one at least came out without numbers, and refuse those that still do.

        Each goes by itself and from its beginning: what is no number spreads to all that is fed with it, rows before
        it included (a weight of 0 times NaN is NaN).
        """
        scorer = dataclasses.replace(scorer, memory=None)
        for member in members:
            plan = dataclasses.replace(plan_passes([self._ready[member]])[0], members=(member,))
            before = 0
            with closing(scorer.score(plan, self._check)) as passing:
                for collector in passing:
                    rows = collector.all()
                    at = rows.first_broken()
                    if at is not None:
                        self._refuse(self._places[member], no_numbers(self._pair, self._ready[member], rows, at))
                        self._rows_done += plan.rows - before
                        break
                    self._report(plan, rows, before)
                    before = collector.rows
                    yield
            yield

    def _refuse(self, place: int, why: ScoringError) -> None:
        self._send(Refused(job=self._request.job, index=place, problem=why.problem, remedy=why.remedy))

    def _report(self, plan: PassPlan, rows: PairRows, before: int) -> None:
        """Send what is new of a pass of which `before` rows had been reported."""
        done = len(rows.kl)
        self._rows_done += done - before
        reached = min(bisect_right(plan.ends, done), len(plan.members) - 1)
        self._tell(self._places[plan.members[reached]])
        starts = (0, *plan.ends)
        for member, start, end in zip(plan.members, starts, plan.ends, strict=False):
            if before < end <= done:
                self._send_scored(member, _part(plan, rows, start, end), partial=False)
            elif start < done < end and time.monotonic() - self._partial_sent > _SECONDS_BETWEEN_PARTIALS:
                self._partial_sent = time.monotonic()
                self._send_scored(member, _part(plan, rows, start, done), partial=True)

    def _send_scored(self, member: int, rows: PairRows, *, partial: bool) -> None:
        pair, prepared = self._pair, self._ready[member]
        models = scoring_model(pair.base.description), scoring_model(pair.aligned.description)
        scored = pack(prepared, rows, pair.encoders, models, with_decoded=self._with_decoded)
        job, index = self._request.job, self._places[member]
        self._send(
            Scored(
                job=job,
                index=index,
                scored=scored,
                partial=partial,
                matrix_library=products.in_use(),
            )
        )

    def _tell(self, place: int) -> None:
        count = len(self._request.responses)
        share = self._rows_done / sum(len(prepared.ids) + 1 for prepared in self._ready)
        self._send(
            Progress(
                job=self._request.job,
                phase="scoring",
                fraction=(self._portion.start + len(self._portion) * share) / count,
                message=f"Scoring response {place + 1} of {count}",
                part=(place + 1, count),
            )
        )


def _part(plan: PassPlan, rows: PairRows, start: int, end: int) -> PairRows:
    """Rows [start, end) of a pass, and those of the base model beside them."""
    return rows.part(slice(start, end), slice(plan.base_rows(start), plan.base_rows(end)))


def portions(count: int) -> Iterator[range]:
    """Responses to be prepared before any of them is scored: few at first, so that the first colours come early, then
    enough to find several of one length among them."""
    start, size = 0, _FIRST_PORTION
    while start < count:
        yield range(start, min(count, start + size))
        start, size = start + size, _PORTION

"""The scoring of a request's responses: prepared by portions, scored in passes, sent when their rows are there."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator

from shiftlens.engine.pairs import OpenedPair
from shiftlens.engine.protocol import Progress, Refused, Reply, Score, Scored
from shiftlens.errors import ScoringError
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

    def steps(self) -> Iterator[None]:
        """Do it, stopping after each stretch, so that other jobs can be done between."""
        score = self._in_passes if self._pair.same_tokens else self._apart
        for portion in portions(len(self._request.responses)):
            yield from self._prepare(portion)
            if self._ready:
                yield from score()

    def _prepare(self, portion: range) -> Iterator[None]:
        self._portion, self._ready, self._places, self._rows_done = portion, [], [], 0
        for place in portion:
            self._check()
            try:
                self._ready.append(self._pair.prepare(self._request.responses[place], self._request.options))
                self._places.append(place)
            except ScoringError as error:
                self._send(Refused(job=self._request.job, index=place, problem=error.problem, remedy=error.remedy))
            yield

    def _in_passes(self) -> Iterator[None]:
        base, aligned = self._pair.base.causal, self._pair.aligned.causal
        scorer = Scorer(base, aligned, Heads(base, aligned, self._top_k), self._top_k, self._pair.memory)
        for group in batches(plan_passes(self._ready), scorer.limits.batch, scorer.longest):
            self._check()
            if len(group) == 1:
                yield from self._one(scorer, group[0])
            else:
                for plan, rows in zip(group, scorer.score_together(group, self._check), strict=True):
                    self._report(plan, rows, before=0)
                yield

    def _apart(self) -> Iterator[None]:
        """For a pair of two vocabularies: response by response, each model by itself."""
        base, aligned = self._pair.base, self._pair.aligned
        models, encoders = (base.causal, aligned.causal), (base.loaded.encoder, aligned.loaded.encoder)
        stretch = limits_of(base.causal.device, base.causal.parameters + aligned.causal.parameters).stretch
        for place, prepared in zip(self._places, self._ready, strict=True):
            self._tell(place)
            rows = score_apart(models, encoders, prepared, self._top_k, stretch, self._check)
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


def portions(count: int) -> Iterator[range]:
    """Responses to be prepared before any of them is scored: few at first, so that the first colours come early, then
    enough to find several of one length among them."""
    start, size = 0, _FIRST_PORTION
    while start < count:
        yield range(start, min(count, start + size))
        start, size = start + size, _PORTION

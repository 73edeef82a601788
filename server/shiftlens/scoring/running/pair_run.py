"""Scoring responses under two models at once: prepared by portions, scored in passes, and told as soon as they are
done.

The work goes in steps, between which other work can be done. Models are in use (pinned) within a pass only: between two
passes they may be let go of, and the next pass loads them again.
"""

from __future__ import annotations

import dataclasses
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager

from shiftlens.errors import ModelError, ScoringError
from shiftlens.scores.description import scoring_model
from shiftlens.scoring.events import Event, Events, Progress, Refused, Scored
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.inputs.template_limits import template_budget
from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.pack import pack
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.batches import batches
from shiftlens.scoring.passes.plan import PassPlan, plan_passes
from shiftlens.scoring.passes.teacher_forcing import Scorer
from shiftlens.scoring.running.portions import portions
from shiftlens.scoring.running.refusals import no_numbers
from shiftlens.scoring.running.run import Run

_SECONDS_BETWEEN_PARTIALS = 0.3

OpenPair = Callable[[], AbstractContextManager[OpenedPair]]
"""Has the pair in memory for as long as the context lasts."""


class PairRun:
    """One request scored under a pair. `aligned` is the number of the aligned model, which its events carry."""

    def __init__(self, run: Run, open_pair: OpenPair, aligned: int = 0) -> None:
        self._run, self._open, self._aligned = run, open_pair, aligned
        self._fingerprints: tuple[str, str] | None = None
        self._portion = range(0)
        self.ready: list[Prepared] = []
        self._indices: list[int] = []
        self._positions_done = 0
        self._partial_sent = 0.0

    def steps(self) -> Iterator[Events]:
        """Do it. A step is the preparation of a response, or a chunk of a pass. Raises ModelError, and what `check`
        raises."""
        for portion in portions(len(self._run.responses)):
            yield from self.prepare(portion)
            for group in self.groups():
                yield from self.score(group)

    def prepare(self, portion: range) -> Iterator[Events]:
        """Prepare these responses, in `ready` afterwards; those that can't be are refused."""
        self._portion, self.ready, self._indices, self._positions_done = portion, [], [], 0
        for index in portion:
            self._run.check()
            try:
                with self._pair() as pair, template_budget(self._run.check):
                    prepared = pair.prepare(self._run.responses[index], self._run.options)
                self.ready.append(prepared)
                self._indices.append(index)
            except ScoringError as error:
                yield (self._refused(index, error),)
            else:
                yield ()

    def groups(self) -> list[list[PassPlan]]:
        """The passes over what is ready, in groups to be fed together."""
        if not self.ready:
            return []
        with self._pair() as pair:
            scorer = self.scorer(pair)
            return batches(plan_passes(self.ready), scorer.limits.batch, scorer.longest)

    def score(self, group: Sequence[PassPlan]) -> Iterator[Events]:
        """Score a group of passes. The models are not in use in the last step."""
        self._run.check()
        with self._pair() as pair:
            for events in self._in_passes(pair, group):
                yield events
                pair.activate()
        yield ()

    def scorer(self, pair: OpenedPair) -> Scorer:
        """What scores the passes of this run."""
        scorer = dataclasses.replace(pair.scorer(self._run.top_k), owner=self._run.owner)
        return scorer if self._run.remember else dataclasses.replace(scorer, memory=None)

    def told(self, pair: OpenedPair, plan: PassPlan, numbers: PairTensors, before: int) -> Events:
        """What is new of a pass of which `before` positions had been told."""
        done = len(numbers.kl)
        self._positions_done += done - before
        reached = min(bisect_right(plan.ends, done), len(plan.members) - 1)
        events: list[Event] = [self._progress(self._indices[plan.members[reached]])]
        starts = (0, *plan.ends)
        for member, start, end in zip(plan.members, starts, plan.ends, strict=False):
            if before < end <= done:
                events.append(self._scored(pair, member, _part(plan, numbers, start, end), partial=False))
            elif start < done < end and time.monotonic() - self._partial_sent > _SECONDS_BETWEEN_PARTIALS:
                self._partial_sent = time.monotonic()
                events.append(self._scored(pair, member, _part(plan, numbers, start, done), partial=True))
        return tuple(events)

    def each_alone(self, pair: OpenedPair, members: Sequence[int]) -> Iterator[Events]:
        """Score responses again, of which one at least came out without numbers, and refuse those that still do.

        Each goes by itself and from its beginning: what is no number spreads to all that is fed with it, positions
        before it included (a weight of 0 times NaN is NaN).
        """
        scorer = dataclasses.replace(self.scorer(pair), memory=None)
        for member in members:
            plan = dataclasses.replace(plan_passes([self.ready[member]])[0], members=(member,))
            before = 0
            with closing(scorer.score(plan, self._run.check)) as passing:
                for collector in passing:
                    numbers = collector.all()
                    at = numbers.first_broken()
                    if at is not None:
                        self._positions_done += plan.position_count - before
                        yield (self._refused(self._indices[member], no_numbers(pair, self.ready[member], numbers, at)),)
                        break
                    yield self.told(pair, plan, numbers, before)
                    before = collector.count
            yield ()

    def untold(self, plan: PassPlan, before: int) -> tuple[int, ...]:
        """The responses of a pass that are not complete after `before` positions. They count as not scored."""
        finished = bisect_right(plan.ends, before)
        self._positions_done -= before - (0, *plan.ends)[finished]
        return plan.members[finished:]

    def _in_passes(self, pair: OpenedPair, group: Sequence[PassPlan]) -> Iterator[Events]:
        scorer = self.scorer(pair)
        if len(group) == 1:
            yield from self._one(pair, scorer, group[0])
            return
        for plan, numbers in zip(group, scorer.score_together(group, self._run.check), strict=True):
            if numbers.first_broken() is None:
                yield self.told(pair, plan, numbers, before=0)
            else:
                yield from self.each_alone(pair, plan.members)

    def _one(self, pair: OpenedPair, scorer: Scorer, plan: PassPlan) -> Iterator[Events]:
        before = 0
        with closing(scorer.score(plan, self._run.check)) as passing:
            for collector in passing:
                numbers = collector.all()
                if numbers.first_broken() is not None:
                    break
                yield self.told(pair, plan, numbers, before)
                before = collector.count
            else:
                return
        yield from self.each_alone(pair, self.untold(plan, before))

    @contextmanager
    def _pair(self) -> Iterator[OpenedPair]:
        with self._open() as pair:
            self._check_unchanged(pair)
            yield pair

    def _check_unchanged(self, pair: OpenedPair) -> None:
        """What was prepared for one model must not be fed to another that has taken its place on the disk."""
        if self._fingerprints is None:
            self._fingerprints = pair.fingerprints
        elif self._fingerprints != pair.fingerprints:
            raise ModelError(
                f"The files of {pair.base.loaded.name} or {pair.aligned.loaded.name} changed while responses were"
                " scored.",
                "Ask again: the models are then read as they are now.",
            )

    def _refused(self, index: int, why: ScoringError) -> Refused:
        return Refused(index, why.problem, why.remedy, self._aligned)

    def _scored(self, pair: OpenedPair, member: int, numbers: PairTensors, *, partial: bool) -> Scored:
        models = scoring_model(pair.base.description), scoring_model(pair.aligned.description)
        scored = pack(self.ready[member], numbers, pair.encoders, models, with_decoded=self._run.with_decoded)
        return Scored(self._indices[member], scored, partial, products.in_use(), self._aligned)

    def _progress(self, index: int) -> Progress:
        count = len(self._run.responses)
        share = self._positions_done / sum(len(prepared.ids) + 1 for prepared in self.ready)
        return Progress((self._portion.start + len(self._portion) * share) / count, index, count, self._aligned)


def _part(plan: PassPlan, numbers: PairTensors, start: int, end: int) -> PairTensors:
    """The numbers at positions [start, end) of a pass, with the base model's positions beside them."""
    return numbers.part(slice(start, end), slice(plan.base_positions(start), plan.base_positions(end)))

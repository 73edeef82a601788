"""Scoring responses under two models each by itself: prepared by portions, each side scored, then put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from shiftlens.backends.protocol import SideInput, SideNumbers
from shiftlens.errors import ScoringError
from shiftlens.scoring.alone.combine import pair_tensors_of, record_of
from shiftlens.scoring.alone.sides import Side, SidePair
from shiftlens.scoring.events import Events, Progress, Refused, Scored
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.inputs.template_limits import template_budget
from shiftlens.scoring.numbers import products
from shiftlens.scoring.running.portions import portions
from shiftlens.scoring.running.refusals import no_numbers
from shiftlens.scoring.running.run import Run

OpenSides = Callable[[], AbstractContextManager[SidePair]]
"""Has both sides ready for as long as the context lasts."""


class SideRun:
    """One run under a pair of which each model is scored by itself. `aligned` is put into its events."""

    def __init__(self, run: Run, open_sides: OpenSides, aligned: int = 0) -> None:
        self._run, self._open, self._aligned = run, open_sides, aligned

    def steps(self) -> Iterator[Events]:
        """Do it. A step is the preparation of a response, or the numbers of one side. Raises ModelError, ScoringError,
        and what `check` raises."""
        count = len(self._run.responses)
        for portion in portions(count):
            with self._open() as pair:
                ready: dict[int, Prepared] = {}
                for index in portion:
                    yield self._prepared(pair, index, ready)
                yield from self._scored(pair, portion, ready, count)
            yield ()

    def _prepared(self, pair: SidePair, index: int, ready: dict[int, Prepared]) -> Events:
        self._run.check()
        try:
            with template_budget(self._run.check):
                ready[index] = pair.prepare(self._run.responses[index], self._run.options)
        except ScoringError as error:
            return (Refused(index, error.problem, error.remedy, self._aligned),)
        return ()

    def _scored(self, pair: SidePair, portion: range, ready: dict[int, Prepared], count: int) -> Iterator[Events]:
        k = self._run.top_k
        indices = list(ready)
        base_inputs = [_input(ready[i].base, _base_ids(ready[i])) for i in indices]
        aligned_inputs = [_input(ready[i].aligned, ready[i].ids) for i in indices]
        base: dict[int, SideNumbers] = {}
        for done, (at, numbers) in enumerate(self._numbers(pair.base, base_inputs, k), start=1):
            base[at] = numbers
            yield (self._progress(portion, done / 2 / len(indices), indices[at], count),)
        for done, (at, numbers) in enumerate(self._numbers(pair.aligned, aligned_inputs, k), start=1):
            index, both = indices[at], (base.pop(at), numbers)
            progress = self._progress(portion, (done / len(indices) + 1) / 2, index, count)
            tensors = pair_tensors_of(pair, ready[index], *both, k)
            broken = tensors.first_broken()
            if broken is not None:
                error = no_numbers(pair, ready[index], tensors, broken)
                yield (progress, Refused(index, error.problem, error.remedy, self._aligned))
                continue
            record = record_of(pair, ready[index], tensors, both, with_decoded=self._run.with_decoded)
            yield (progress, Scored(index, record, False, products.in_use(), self._aligned))

    def _numbers(self, side: Side, inputs: Sequence[SideInput], k: int) -> Iterator[tuple[int, SideNumbers]]:
        most = side.backend.capabilities.most_top_k
        return side.backend.score(inputs, k if most is None else min(k, most), self._run.check)

    def _progress(self, portion: range, share: float, index: int, count: int) -> Progress:
        return Progress((portion.start + len(portion) * share) / count, index, count, self._aligned)


def _input(side: PreparedSide, ids: tuple[int, ...]) -> SideInput:
    return SideInput(side.prefix_ids, ids, side.end_id, side.lead)


def _base_ids(prepared: Prepared) -> tuple[int, ...]:
    return prepared.ids if prepared.base_encoding is None else prepared.base_encoding.ids

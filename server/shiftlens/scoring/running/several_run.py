"""Scoring responses under one base model and several aligned ones, in one go: the base model is fed once for all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, closing

from shiftlens.scoring.events import Events
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.plan import PassPlan
from shiftlens.scoring.passes.several import score_several, score_several_together, sharing_key
from shiftlens.scoring.running.pair_run import PairRun
from shiftlens.scoring.running.portions import portions
from shiftlens.scoring.running.run import Run

OpenPairs = Callable[[], AbstractContextManager[list[OpenedPair]]]
"""Has all pairs in memory for as long as the context lasts."""

Part = tuple[int, list[PassPlan]]
"""A group of passes of one pair: its index among the pairs, and the passes."""


class SeveralRun:
    """One run under several pairs of one base model. `numbers` tell the aligned models apart in events.

    A group of passes is shared by the pairs for which it has one `sharing_key`; the others feed the base model again.
    That is so where the aligned models' templates or tokenizers have the base model fed other ids (in the `chat`
    context), or have responses of other lengths fed together. Passes go on from nothing and leave nothing.
    """

    def __init__(
        self,
        run: Run,
        open_pairs: OpenPairs,
        open_pair: Sequence[Callable[[], AbstractContextManager[OpenedPair]]],
        numbers: Sequence[int],
    ) -> None:
        self._run, self._open = run, open_pairs
        self._runs = [PairRun(run, each, number) for each, number in zip(open_pair, numbers, strict=True)]

    def steps(self) -> Iterator[Events]:
        """As `PairRun.steps`."""
        for portion in portions(len(self._run.responses)):
            for each in self._runs:
                yield from each.prepare(portion)
            for parts in self._shared():
                if len(parts) == 1:
                    at, group = parts[0]
                    yield from self._runs[at].score(group)
                else:
                    yield from self._score(parts)

    def _shared(self) -> list[list[Part]]:
        """All groups of passes, those together that can be shared."""
        found: dict[Hashable, list[Part]] = {}
        groups = [each.groups() for each in self._runs]
        with self._open() as pairs:
            for at, (pair, own) in enumerate(zip(pairs, groups, strict=True)):
                scorer = self._runs[at].scorer(pair)
                for group in own:
                    found.setdefault((pair.base.units, sharing_key(scorer, group)), []).append((at, group))
        return list(found.values())

    def _score(self, parts: Sequence[Part]) -> Iterator[Events]:
        self._run.check()
        with self._open() as every:
            pairs = [every[at] for at, _group in parts]
            passes = self._one(pairs, parts) if len(parts[0][1]) == 1 else self._together(pairs, parts)
            for events in passes:
                yield events
                pairs[0].activate()
        yield ()

    def _together(self, pairs: Sequence[OpenedPair], parts: Sequence[Part]) -> Iterator[Events]:
        scorers = [self._runs[at].scorer(pair) for (at, _), pair in zip(parts, pairs, strict=True)]
        every = score_several_together(scorers, [group for _, group in parts], self._run.check)
        for (at, group), pair, found in zip(parts, pairs, every, strict=True):
            run = self._runs[at]
            for plan, numbers in zip(group, found, strict=True):
                if numbers.first_broken() is None:
                    yield run.told(pair, plan, numbers, before=0)
                else:
                    yield from run.each_alone(pair, plan.members)

    def _one(self, pairs: Sequence[OpenedPair], parts: Sequence[Part]) -> Iterator[Events]:
        runs = [self._runs[at] for at, _ in parts]
        plans = [group[0] for _, group in parts]
        scorers = [run.scorer(pair) for run, pair in zip(runs, pairs, strict=True)]
        before = [0] * len(parts)
        broken: set[int] = set()
        with closing(score_several(scorers, plans, self._run.check)) as passing:
            for collectors in passing:
                for i, collector in enumerate(collectors):
                    numbers = collector.all()
                    if i in broken or numbers.first_broken() is not None:
                        broken.add(i)
                        continue
                    yield runs[i].told(pairs[i], plans[i], numbers, before[i])
                    before[i] = collector.count
                if len(broken) == len(parts):
                    break
        for i in sorted(broken):
            yield from runs[i].each_alone(pairs[i], runs[i].untold(plans[i], before[i]))

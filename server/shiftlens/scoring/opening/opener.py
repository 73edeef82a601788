"""Opening pairs as views of models in memory, and keeping them open for as long as their models are there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.hub import hub_access
from shiftlens.scoring.numbers import products
from shiftlens.scoring.opening.model_cache import ModelCache, OnProgress
from shiftlens.scoring.opening.opened import UnitId
from shiftlens.scoring.opening.pair import OpenedPair, opened_pair
from shiftlens.scoring.opening.sources import needed
from shiftlens.scoring.passes.memories import PassMemories


class PairOpener:
    """Opens pairs for a session, of models in `cache`. Each has its part of `memories`."""

    def __init__(self, cache: ModelCache, memories: PassMemories[UnitId]) -> None:
        self._cache, self._memories = cache, memories
        self._pairs: dict[PairSpec, OpenedPair] = {}

    @contextmanager
    def in_use(self, spec: PairSpec, on_progress: OnProgress, *, look: bool) -> Iterator[OpenedPair]:
        """A pair that stays in memory while this lasts. With `look`, models whose files have changed are read anew.

        Raises ModelError and ModelsInUse.
        """
        pair = self._opened(spec, on_progress, look=look)
        units = pair.units
        self._cache.touch(units)
        self._cache.pin(units, 1)
        try:
            yield pair
        finally:
            self._cache.pin(units, -1)

    @contextmanager
    def all_in_use(
        self, specs: Sequence[PairSpec], on_progress: OnProgress, *, look: bool
    ) -> Iterator[list[OpenedPair]]:
        """Several pairs that stay in memory while this lasts. All are loaded before any of them is in use."""
        if look or any(not self._is_open(spec) for spec in specs):
            with hub_access(specs[0].allow_download):
                every = [side for spec in specs for side in needed(spec)]
                products.use(every[0].key.library)
                if look:
                    self._cache.drop_changed(every)
                named = frozenset(name for spec in specs for name in (spec.base, spec.aligned))
                self._cache.opened(every, specs[0], on_progress, named)
        with ExitStack() as stack:
            yield [stack.enter_context(self.in_use(spec, on_progress, look=False)) for spec in specs]

    def units(self, specs: Sequence[PairSpec]) -> frozenset[UnitId] | None:
        """What these pairs are made of; None where one of them is not open."""
        if not all(self._is_open(spec) for spec in specs):
            return None
        return frozenset(unit for spec in specs for unit in self._pairs[spec].units)

    def let_go(self, unit: UnitId) -> None:
        """Keep no reference to what is evicted: a pair holds its models, and with it they would stay in memory."""
        self._pairs = {spec: pair for spec, pair in self._pairs.items() if unit not in pair.units}

    def clear(self) -> None:
        """Forget every pair."""
        self._pairs.clear()

    def _is_open(self, spec: PairSpec) -> bool:
        pair = self._pairs.get(spec)
        return pair is not None and self._is_valid(pair)

    def _is_valid(self, pair: OpenedPair) -> bool:
        return self._cache.is_valid(pair.base) and self._cache.is_valid(pair.aligned)

    def _opened(self, spec: PairSpec, on_progress: OnProgress, *, look: bool) -> OpenedPair:
        pair = self._pairs.get(spec)
        if pair is None or look or not self._is_valid(pair):
            pair = self._opened_anew(spec, on_progress, look=look)
            self._pairs[spec] = pair
        pair.activate()
        return dataclasses.replace(pair, memory=self._memories.of(pair.base.units, pair.aligned.units))

    def _opened_anew(self, spec: PairSpec, on_progress: OnProgress, *, look: bool) -> OpenedPair:
        with hub_access(spec.allow_download):
            sides = needed(spec)
            products.use(sides[0].key.library)
            if look:
                self._cache.drop_changed(sides)
            pair = self._pairs.pop(spec, None)
            if pair is not None and self._is_valid(pair):
                return pair
            self._pairs = {each: pair for each, pair in self._pairs.items() if self._is_valid(pair)}
            base, aligned = self._cache.opened(sides, spec, on_progress)
        return opened_pair(sides, (base, aligned), self._memories.of(base.units, aligned.units))

"""The models in memory: each full model once, with the adapters on it; the least recently used is evicted first.

A full model and each adapter is a unit of its own. A unit stays until room is needed for another one. A unit in use
(`pinned`) is never evicted. A copy of a full model takes adapters of one kind only; a second kind gets a second copy.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.adapters import AdaptedModel
from shiftlens.scoring.models.load_errors import NotEnoughMemory
from shiftlens.scoring.models.loading import load_adapter, load_model, with_rounded_weights
from shiftlens.scoring.opening.copies import Adapter, CachedModel, Copy, assigned, units_of
from shiftlens.scoring.opening.device_memory import give_back, model_bytes
from shiftlens.scoring.opening.opened import OpenedModel, UnitId, opened_model
from shiftlens.scoring.opening.room import Outlook, fit_alone, room_for, victims
from shiftlens.scoring.opening.sources import Needed

OnProgress = Callable[[str, float], None]
"""Gets what is being loaded and the fraction of the loading that is done."""


class ModelsInUse(Exception):
    """What a pair needs can't be loaded now: an adapter is to be put into a model that a pass is using."""


class ModelCache:
    """Loads what pairs need and keeps it within `limit_bytes` on each kind of device; see `model_limit` for None.

    `on_evict` is called for each unit that is evicted. A pair that is larger than the bound by itself is loaded all the
    same: whether it fits is for the device to say.
    """

    def __init__(self, limit_bytes: int | None = None, on_evict: Callable[[UnitId], None] = lambda _: None) -> None:
        self._limit_bytes = limit_bytes
        self._on_evict = on_evict
        self._copies: list[Copy] = []
        self._numbers = itertools.count(1)
        self._clock = itertools.count(1)
        self.loads = 0
        self.last_load_seconds = 0.0

    def models(self) -> tuple[CachedModel, ...]:
        """Every full model and adapter in memory, and the bytes of each."""
        found: list[CachedModel] = []
        for copy in self._copies:
            where = {"device": str(copy.loaded.device), "dtype": copy.loaded.numbers}
            found.append(CachedModel(name=copy.loaded.name, nbytes=copy.nbytes, **where))
            for name, adapter in copy.adapters.items():
                found.append(CachedModel(name=name, nbytes=adapter.nbytes, adapter_of=copy.loaded.name, **where))
        return tuple(found)

    def opened(
        self,
        wanted: Sequence[Needed],
        spec: PairSpec,
        on_progress: OnProgress,
        named: frozenset[str] = frozenset(),
    ) -> list[OpenedModel]:
        """The models, loaded if need be and split into body and head. Raises ModelError, or ModelsInUse.

        They are loaded as `spec` says; a pickle only where the user `named` it (or `spec` names it). `on_progress` may
        raise to end the loading. What is returned is valid until one of its units is evicted, or an adapter is put into
        or taken out of one of its full models (`is_valid`).
        """
        if not self._has_all(wanted):
            self._make_room(wanted, spec)
            if not self._try_to_load(wanted, spec, on_progress, named):
                self._load(wanted, spec, on_progress, named)
            self._make_room(wanted, spec)
        found = []
        for each, copy in zip(wanted, assigned(self._copies, wanted), strict=True):
            assert copy is not None  # noqa: S101 (loaded above)
            found.append(self._opened(copy, each))
        return found

    def is_valid(self, model: OpenedModel) -> bool:
        """Whether an opened model can still be run."""
        return any(copy.opened.get(model.loaded.name) is model for copy in self._copies)

    def touch(self, units: Iterable[UnitId]) -> None:
        """Count these as used now."""
        now = next(self._clock)
        for copy, adapter in self._of(units):
            copy.used = now
            if adapter is not None:
                adapter.used = now

    def pin(self, units: Iterable[UnitId], by: int) -> None:
        """Count one more (1) or one less (-1) user of these."""
        for copy, adapter in self._of(units):
            copy.pins += by
            if adapter is not None:
                adapter.pins += by
        self._let_leave()

    def pinned(self) -> frozenset[UnitId]:
        """What is in use."""
        return frozenset(unit.id for unit in units_of(self._copies) if unit.pins)

    def outlook(self, wanted: Sequence[Needed], spec: PairSpec) -> Outlook:
        """What opening these would take now. Loads nothing. Raises ModelError for a device that is not there."""
        both = zip(wanted, assigned(self._copies, wanted), strict=True)
        there = [(each, copy) for each, copy in both if copy is not None]
        units = frozenset(unit for each, copy in there for unit in copy.units(each))
        if self._has_all(wanted):
            return Outlook(units)
        evicts, enough = victims(self._copies, room_for(self._copies, wanted, spec, self._limit_bytes))
        joins = any(copy.pins and not copy.has(each) for each, copy in there)
        return Outlook(units, loads=True, evicts=frozenset(evicts), waits=not enough, joins=joins)

    def fits(self, wanted: Sequence[Needed], spec: PairSpec) -> bool:
        """Whether these fit together once all else is evicted. Raises ModelError for a device that is not there."""
        return fit_alone(self._copies, room_for(self._copies, wanted, spec, self._limit_bytes))

    def drop_changed(self, wanted: Sequence[Needed]) -> None:
        """Evict those of the wanted models whose files have changed since they were loaded, unless they are in use."""
        for each, copy in zip(wanted, assigned(self._copies, wanted), strict=True):
            if copy is None or copy not in self._copies or copy.pins:
                continue
            adapter = copy.adapters.get(each.source.name)
            if _has_changed(each.source.full_model, copy.fingerprint):
                self._evict((copy.number, ""))
            elif adapter is not None and _has_changed(each.source.name, adapter.fingerprint):
                self._evict((copy.number, each.source.name))

    def clear(self) -> None:
        """Evict everything; what is in use is evicted when its users are done."""
        for copy in self._copies:
            copy.leaves = True
        self._let_leave()

    def _let_leave(self) -> None:
        leaving = [copy for copy in self._copies if copy.leaves and not copy.pins]
        for copy in leaving:
            self._evict((copy.number, ""))
        if leaving:
            leaving.clear()
            give_back()

    def _has_all(self, wanted: Sequence[Needed]) -> bool:
        there = zip(wanted, assigned(self._copies, wanted), strict=True)
        return all(copy is not None and copy.has(each) for each, copy in there)

    def _make_room(self, wanted: Sequence[Needed], spec: PairSpec) -> bool:
        """Evict what is in the way of the wanted models; whether anything was."""
        return self._let_go(victims(self._copies, room_for(self._copies, wanted, spec, self._limit_bytes))[0])

    def _let_go(self, units: Sequence[UnitId]) -> bool:
        for unit in units:
            self._evict(unit)
        if units:
            give_back()
        return bool(units)

    def _try_to_load(
        self, wanted: Sequence[Needed], spec: PairSpec, on_progress: OnProgress, named: frozenset[str]
    ) -> bool:
        """Load the wanted models. False where memory ran out and all else was evicted, so that there may be enough now.

        What a model takes was estimated, and other programs may have taken memory meanwhile.
        """
        try:
            self._load(wanted, spec, on_progress, named)
        except NotEnoughMemory:
            # The error keeps what is half loaded in memory, so that the second try must be made outside of this block.
            if not self._let_go(victims(self._copies, room_for(self._copies, wanted, spec, 0))[0]):
                raise
            return False
        return True

    def _load(self, wanted: Sequence[Needed], spec: PairSpec, on_progress: OnProgress, named: frozenset[str]) -> None:
        start = time.monotonic()
        for i, each in enumerate(wanted):
            copy = assigned(self._copies, wanted)[i]

            def part(message: str, fraction: float, done: int = i) -> None:
                on_progress(message, (done + fraction) / len(wanted))

            if copy is None:
                copy = self._load_full(each, spec, part, named | {spec.base, spec.aligned})
            if not copy.has(each):
                self._load_adapter(copy, each, spec, part)
            self.touch(copy.units(each))
        self.last_load_seconds = time.monotonic() - start

    def _load_full(self, needed: Needed, spec: PairSpec, on_progress: OnProgress, named: frozenset[str]) -> Copy:
        name = needed.source.full_model
        before = model_fingerprint(name)
        # A pickle is opened only where the user named it: not one that the files of an adapter name.
        allowed = spec.allow_pickle and name in named
        spec = dataclasses.replace(spec, dtype=needed.key.dtype, allow_pickle=allowed)
        loaded = load_model(name, spec, lambda fraction: on_progress(f"Loading {name}", fraction))
        if needed.key.weights:
            loaded = with_rounded_weights(loaded, needed.key.weights)
        self.loads += 1
        fingerprint, nbytes = _sure(before, name), model_bytes(loaded.model)
        copy = Copy(next(self._numbers), needed.key, loaded.device.type, loaded, fingerprint, nbytes)
        self._copies.append(copy)
        return copy

    def _load_adapter(self, copy: Copy, needed: Needed, spec: PairSpec, on_progress: OnProgress) -> None:
        source = needed.source
        if source.adapter is None:
            return
        if copy.pins:
            raise ModelsInUse
        on_progress(f"Loading {source.name}", 1.0)
        before = model_fingerprint(source.name)
        copy.opened.clear()
        if copy.adapted is None:
            copy.adapted = AdaptedModel(copy.loaded.model)
        had = model_bytes(copy.loaded.model)
        try:
            loaded = load_adapter(source.name, source.adapter, copy.loaded, copy.adapted, spec)
        except BaseException:
            # The failed adapter may have changed the model, which must not be used any more.
            self._evict((copy.number, ""))
            raise
        as_loaded = copy.fingerprint != "" and model_fingerprint(source.full_model) == copy.fingerprint
        fingerprint = _sure(before, source.name) if as_loaded else ""
        nbytes = model_bytes(copy.loaded.model) - had + copy.adapted.bytes_beside(loaded.adapter)
        copy.adapters[source.name] = Adapter(loaded, fingerprint, nbytes)
        copy.kind = source.kind

    def _opened(self, copy: Copy, needed: Needed) -> OpenedModel:
        """One side of a pair, once all that it needs is in memory."""
        name = needed.source.name
        if name not in copy.opened:
            if needed.source.adapter is not None:
                loaded, fingerprint = copy.adapters[name].loaded, copy.adapters[name].fingerprint
            else:
                loaded = dataclasses.replace(copy.loaded, name=name, adapted=copy.adapted)
                fingerprint = copy.fingerprint
            copy.opened[name] = opened_model(loaded, fingerprint, copy.units(needed))
        return copy.opened[name]

    def _evict(self, unit: UnitId) -> None:
        number, name = unit
        copy = next((copy for copy in self._copies if copy.number == number), None)
        if copy is None or (name and name not in copy.adapters):
            return
        if name:
            gone = copy.adapters.pop(name).loaded
            copy.opened.clear()
            if copy.adapted is not None and gone.adapter is not None:
                copy.adapted.remove(gone.adapter)
        else:
            self._copies.remove(copy)
            for adapter in copy.adapters:
                self._on_evict((number, adapter))
        self._on_evict(unit)

    def _of(self, units: Iterable[UnitId]) -> Iterator[tuple[Copy, Adapter | None]]:
        wanted = set(units)
        for copy in self._copies:
            names = [name for number, name in wanted if number == copy.number]
            for name in names:
                if not name or name in copy.adapters:
                    yield copy, copy.adapters.get(name)


def _has_changed(name: str, fingerprint: str) -> bool:
    return fingerprint != "" and model_fingerprint(name) not in (None, fingerprint)


def _sure(before: str | None, name: str) -> str:
    """The fingerprint of what was loaded since `before` was taken; "" where nothing can be sure.

    Files that changed while they were read (or were fetched just now) may not be what is in memory.
    """
    after = model_fingerprint(name)
    return after if after is not None and before in (None, after) else ""

"""What is in memory: full models, the adapters in them, and which of them a pair is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from shiftlens.scoring.models.adapters import AdaptedModel
from shiftlens.scoring.models.loading import LoadedModel
from shiftlens.scoring.opening.opened import OpenedModel, UnitId
from shiftlens.scoring.opening.sources import ModelKey, Needed


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedModel:
    """A model in memory: a full one, or an adapter with its own bytes only. `adapter_of` names what it is put on."""

    name: str
    nbytes: int
    device: str
    dtype: str
    adapter_of: str = ""


@dataclass(slots=True)
class Adapter:
    """An adapter in memory, and what its files were when it was loaded."""

    loaded: LoadedModel
    fingerprint: str
    nbytes: int
    used: int = 0
    pins: int = 0


@dataclass(slots=True)
class Copy:
    """A full model in memory, what its files were when it was loaded, and the adapters in it by their names.

    `kind` is that of its adapters, "" while it has had none. `pins` counts its users, those of its adapters included.
    One that `leaves` goes when its last user has gone.
    """

    number: int
    key: ModelKey
    device: str
    loaded: LoadedModel
    fingerprint: str
    nbytes: int
    kind: str = ""
    used: int = 0
    pins: int = 0
    leaves: bool = False
    adapted: AdaptedModel | None = None
    adapters: dict[str, Adapter] = field(default_factory=dict)
    opened: dict[str, OpenedModel] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        return self.nbytes + sum(adapter.nbytes for adapter in self.adapters.values())

    def has(self, needed: Needed) -> bool:
        return needed.source.adapter is None or needed.source.name in self.adapters

    def units(self, needed: Needed) -> tuple[UnitId, ...]:
        own: tuple[UnitId, ...] = () if needed.source.adapter is None else ((self.number, needed.source.name),)
        return ((self.number, ""), *own)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is evicted as one: its id, when it was last used, how many use it, its bytes, the kind of its device."""

    id: UnitId
    used: int
    pins: int
    nbytes: int
    device: str


def units_of(copies: Iterable[Copy]) -> Iterator[Unit]:
    """Every full model and every adapter. An adapter is in use while its full model is."""
    for copy in copies:
        yield Unit((copy.number, ""), copy.used, copy.pins, copy.nbytes, copy.device)
        for name, each in copy.adapters.items():
            yield Unit((copy.number, name), each.used, max(each.pins, copy.pins), each.nbytes, copy.device)


def assigned(copies: Sequence[Copy], wanted: Sequence[Needed]) -> list[Copy | None]:
    """For each of these the copy in memory that it is, or is an adapter on; None for one to be loaded.

    Adapters choose first, so that a plain model shares the weights of the adapter beside it. A copy takes adapters of
    one kind only.
    """
    kinds: dict[int, str] = {}
    chosen: dict[int, Copy | None] = {}
    for at, each in sorted(enumerate(wanted), key=lambda item: item[1].source.adapter is None):
        kind = each.source.kind
        fits = [
            copy
            for copy in copies
            if copy.key == each.key
            and not copy.leaves
            and (not kind or kinds.get(copy.number, copy.kind) in ("", kind))
        ]
        taken = {copy.number for copy in chosen.values() if copy is not None}
        copy = max(fits, key=lambda c: (c.has(each), c.number in taken, c.kind == kind, c.used), default=None)
        chosen[at] = copy
        if copy is not None and kind:
            kinds[copy.number] = kind
    return [chosen[at] for at in range(len(wanted))]

"""Whether models fit into the memory of a device, and which of those in it make room for others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.options.pair import PairSpec
from shiftlens.scoring.opening.copies import Copy, assigned, units_of
from shiftlens.scoring.opening.device_memory import (
    device_kind,
    estimated_bytes,
    free_bytes,
    limit_is_chosen,
    model_limit,
)
from shiftlens.scoring.opening.opened import UnitId
from shiftlens.scoring.opening.sources import ModelKey, Needed


@dataclass(frozen=True, slots=True)
class Outlook:
    """What opening a pair would take now.

    - units: what it needs and is in memory already.
    - loads: whether anything has to be loaded.
    - evicts: what would be let go of.
    - waits: whether something that is in use is in the way.
    - joins: whether an adapter is to be put into a model that is in use, which has to wait for the end of a pass only.
    """

    units: frozenset[UnitId] = frozenset()
    loads: bool = False
    evicts: frozenset[UnitId] = frozenset()
    waits: bool = False
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """The room that wanted models take beside those in memory, on one kind of device, in bytes.

    - kind: the device.
    - missing: the size of what is to be loaded, by its files.
    - present: the wanted units that are in memory already, which are not evicted.
    - used: the size of all that is in memory.
    - limit: the most that may be in memory.
    """

    kind: str
    missing: int
    present: frozenset[UnitId]
    used: int
    limit: int


def room_for(copies: Sequence[Copy], wanted: Sequence[Needed], spec: PairSpec, limit_bytes: int | None) -> Room:
    """Raises ModelError for a device that is not there. `limit_bytes` None is what the device allows."""
    kind = device_kind(spec)
    used = sum(copy.total_bytes for copy in copies if copy.device == kind)
    missing, present = _missing(copies, wanted, spec, kind)
    return Room(kind, missing, present, used, _limit(kind, used) if limit_bytes is None else limit_bytes)


def fit_alone(copies: Sequence[Copy], room: Room) -> bool:
    """Whether what is wanted fits once all else is evicted."""
    there = sum(unit.nbytes for unit in units_of(copies) if unit.id in room.present)
    return there + room.missing <= room.limit


def victims(copies: Sequence[Copy], room: Room) -> tuple[list[UnitId], bool]:
    """What to evict, least recently used first, so that the wanted fits; False where that has to wait.

    It has to wait where something in use is in the way. Where nothing is left to let go of, it is tried all the same.
    """
    used = room.used
    found: list[UnitId] = []
    gone: set[int] = set()
    in_use = False
    # An adapter goes before the model that it is on.
    for unit in sorted(units_of(copies), key=lambda unit: (unit.used, not unit.id[1])):
        number, adapter = unit.id
        if used + room.missing <= room.limit:
            break
        if unit.device != room.kind or unit.id in room.present or number in gone:
            continue
        if unit.pins:
            in_use = True
            continue
        found.append(unit.id)
        used -= unit.nbytes
        if not adapter:
            gone.add(number)
    return found, used + room.missing <= room.limit or not in_use


def _missing(
    copies: Sequence[Copy], wanted: Sequence[Needed], spec: PairSpec, kind: str
) -> tuple[int, frozenset[UnitId]]:
    """The bytes that the wanted takes beside what is in memory, and what of it is there."""
    missing, present = 0, set[UnitId]()
    new: set[tuple[ModelKey, str]] = set()
    both = list(zip(wanted, assigned(copies, wanted), strict=True))
    for each, copy in sorted(both, key=lambda item: item[0].source.adapter is None):
        source = each.source
        if copy is not None:
            present |= set(copy.units(each))
        # A plain model is the one that an adapter beside it is put on.
        elif (each.key, source.kind) not in new and (source.adapter or each.key not in {key for key, _ in new}):
            new.add((each.key, source.kind))
            of_this = dataclasses.replace(spec, dtype=each.key.dtype)
            missing += estimated_bytes(source, of_this, kind, full_model=True)
        if source.adapter is not None and (copy is None or not copy.has(each)):
            missing += estimated_bytes(source, spec, kind, full_model=False)
    return missing, frozenset(present)


def _limit(kind: str, used: int) -> int:
    limit = model_limit(kind)
    # Other programs may have taken what this device has on paper.
    return limit if limit_is_chosen() else min(limit, used + free_bytes(kind))

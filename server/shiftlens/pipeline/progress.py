"""The progress of several jobs in a row as that of one."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shiftlens.engine.protocol import Progress

OnProgress = Callable[[Progress], None]

_LOADING_SHARE = 0.3


def overall(event: Progress) -> float:
    """The fraction of a job. Loading takes its first part, so that scoring does not move it back."""
    loading = event.phase == "loading"
    return _LOADING_SHARE * event.fraction if loading else _LOADING_SHARE + (1 - _LOADING_SHARE) * event.fraction


def as_one_of(event: Progress, number: int, count: int, name: str) -> Progress:
    """The progress of job `number` (from 0) of `count` as that of all, with its name before the message."""
    fraction = (number + overall(event)) / count
    message = f"{name}: {event.message}"
    return msgspec.structs.replace(event, phase="scoring", fraction=fraction, message=message)


def among(on_progress: OnProgress | None, number: int, count: int, name: str) -> OnProgress | None:
    """What tells of job `number` (from 0) of `count`; None for None."""
    if on_progress is None:
        return None
    tell = on_progress
    return lambda event: tell(as_one_of(event, number, count, name))

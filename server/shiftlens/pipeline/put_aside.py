"""Scores put aside in a temporary file while a job runs, so that memory does not grow with the number of responses."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import overload

import msgspec

from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.errors import ShiftLensError
from shiftlens.scores.outcomes import ContentKey, Result
from shiftlens.scores.records import ScoredResponse

_IN_MEMORY_BYTES = 8 << 20

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ScoredResponse)


class PutAside(MutableMapping[ContentKey, Result]):
    """The results of contents; complete scores are in a file, read anew each time they are asked for.

    The first megabytes stay in memory. The file has no name, is for this process alone, and goes with it. Writing and
    reading raise ShiftLensError where there is no room on the disk.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        where = None if folder is None else str(folder)
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=where)  # noqa: SIM115
        self._end = 0
        self._places: dict[ContentKey, tuple[int, int]] = {}
        self._others: dict[ContentKey, Result] = {}

    def close(self) -> None:
        self._file.close()

    def __getitem__(self, key: ContentKey) -> Result:
        place = self._places.get(key)
        if place is None:
            return self._others[key]
        # Seeking writes out what waits to be written, for which there may be no room.
        with self._room():
            self._file.seek(place[0])
            raw = self._file.read(place[1])
        return Result(_decoder.decode(raw))

    def __setitem__(self, key: ContentKey, result: Result) -> None:
        if result.partial or not isinstance(result.outcome, ScoredResponse):
            self._places.pop(key, None)
            self._others[key] = result
            return
        raw = _encoder.encode(result.outcome)
        with self._room():
            self._file.seek(self._end)
            self._file.write(raw)
        self._others.pop(key, None)
        self._places[key] = self._end, len(raw)
        self._end += len(raw)

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ShiftLensError(
                f"Scores could not be put aside in {self._folder or tempfile.gettempdir()}: {error.strerror}.",
                "Make room there, or name another folder for temporary files in the variable TMPDIR.",
            ) from None

    def __delitem__(self, key: ContentKey) -> None:
        if self._places.pop(key, None) is None:
            del self._others[key]

    def __iter__(self) -> Iterator[ContentKey]:
        yield from self._places
        yield from self._others

    def __len__(self) -> int:
        return len(self._places) + len(self._others)

    def __contains__(self, key: object) -> bool:
        return key in self._places or key in self._others


@contextmanager
def put_aside(folder: Path | None = None) -> Iterator[PutAside]:
    """A place to put scores aside in `folder` (None: where temporary files go) for as long as the context lasts."""
    aside = PutAside(folder)
    try:
        yield aside
    finally:
        aside.close()


class MadeWhenAsked(Sequence[ResponseAnalysis]):
    """Analyses that are made each time they are asked for, and held by nobody."""

    def __init__(self, count: int, make: Callable[[int], ResponseAnalysis]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> ResponseAnalysis: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ResponseAnalysis, ...]: ...
    def __getitem__(self, at: int | slice) -> ResponseAnalysis | tuple[ResponseAnalysis, ...]:
        taken = range(self._count)[at]
        return self._make(taken) if isinstance(taken, int) else tuple(map(self._make, taken))

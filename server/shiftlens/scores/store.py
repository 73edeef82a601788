# ruff: noqa: S608 (the tables' names that are put into statements are constants of this file)
"""Scores by content on disk, within a bound, the least recently used let go first.

What each model gave for a response is kept once (`sides`), whatever other models it is compared with; a result names
the two sides that it is of. Several processes may use one store at once. Every method blocks (keep it off an event
loop) and none but `clear` raises: a store that can't be used finds nothing and keeps nothing.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shiftlens.errors import ShiftLensError
from shiftlens.scores.database import broken, companions, is_held, is_there, remove, with_database, writing
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.keys import side_key
from shiftlens.scores.records import Comparison, ScoredResponse, SideScores

DEFAULT_LIMIT_BYTES = 256 << 20

_MOST_DESCRIPTIONS = 256
_MOST_WAIT_TO_NOTE_USE_MS = 50
_QUICK = 1
_PUT_AT_ONCE = 64
_TABLES = ("results", "sides")
_NEXT_USE = "(SELECT max(coalesce((SELECT max(used) FROM results), 0), coalesce((SELECT max(used) FROM sides), 0)) + 1)"

T = TypeVar("T")
_Row = tuple[str, bytes, bytes]
"""A table, a key and the value there."""


class _Result(msgspec.Struct, frozen=True, array_like=True):
    """A comparison, and the keys of the sides that it is of."""

    base: bytes
    aligned: bytes
    comparison: Comparison


_encoder = msgspec.msgpack.Encoder()
_results = msgspec.msgpack.Decoder(_Result)
_sides = msgspec.msgpack.Decoder(SideScores)
_descriptions = msgspec.msgpack.Decoder(ModelDescription)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What a store holds: results, and the `sides` of models that they are of. `bytes` counts both, up to
    `limit_bytes`; `file_bytes` is their room on disk."""

    path: Path
    entries: int
    sides: int
    bytes: int
    limit_bytes: int
    file_bytes: int


class ResultStore:
    """The store in the SQLite file at `path`, which is made when something is first kept.

    `earlier` is the file of a release before, which is left alone until this store is cleared.
    """

    def __init__(self, path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES, *, earlier: Path | None = None) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self._earlier = earlier

    def get(self, keys: Iterable[bytes]) -> dict[bytes, ScoredResponse]:
        """Those of the keys that have a result. They count as used now."""
        wanted = list(keys)

        def read(connection: sqlite3.Connection) -> dict[bytes, ScoredResponse]:
            found: dict[bytes, ScoredResponse] = {}
            used: list[tuple[str, bytes]] = []
            sides: dict[bytes, SideScores | None] = {}
            shared: dict[object, Any] = {}
            for key in wanted:
                result = _value(connection, "results", key, _results)
                if result is None:
                    continue
                for of in (result.base, result.aligned):
                    if of not in sides:
                        sides[of] = _sharing(_value(connection, "sides", of, _sides), shared)
                base, aligned = sides[result.base], sides[result.aligned]
                if base is not None and aligned is not None:
                    found[key] = ScoredResponse(base=base, aligned=aligned, comparison=result.comparison)
                    used += [("results", key), ("sides", result.base), ("sides", result.aligned)]
            if used:
                # A result that can be read is worth having at once, even where its use can't be noted.
                connection.execute(f"PRAGMA busy_timeout = {_MOST_WAIT_TO_NOTE_USE_MS:d}")
                with contextlib.suppress(sqlite3.OperationalError), writing(connection):
                    now = _next_use(connection)
                    for table in _TABLES:
                        rows = [(now, key) for of, key in used if of == table]
                        connection.executemany(f"UPDATE {table} SET used = ? WHERE key = ?", rows)
            return found

        if not wanted or not is_there(self.path):
            return {}
        return with_database(self.path, read, {})

    def put(self, key: bytes, scored: ScoredResponse) -> None:
        """Keep a result and its sides, in the place of those that are there. One larger than the limit is not kept."""
        self.put_all([(key, scored)])

    def put_all(self, results: Iterable[tuple[bytes, ScoredResponse]]) -> None:
        """`put` of many, by portions: to open the file and to wait for the disk takes longer than to write one."""
        left = iter(results)
        while portion := list(islice(left, _PUT_AT_ONCE)):
            rows = [rows for key, scored in portion if _size_of(rows := _rows(key, scored)) <= self.limit_bytes]
            if rows:
                with_database(self.path, functools.partial(self._write, rows), None)

    def _write(self, results: list[list[_Row]], connection: sqlite3.Connection) -> None:
        with writing(connection):
            for rows in results:
                now = _next_use(connection)
                for table, of, value in rows:
                    connection.execute(f"DELETE FROM {table} WHERE key = ?", (of,))
                    connection.execute(
                        f"INSERT INTO {table} (key, used, bytes, value) VALUES (?, ?, ?, ?)",
                        (of, now, len(of) + len(value), value),
                    )
                _make_room(connection, self.limit_bytes)

    def description(self, key: bytes) -> ModelDescription | None:
        """What a model said of itself when it was last loaded."""

        def read(connection: sqlite3.Connection) -> ModelDescription | None:
            row = connection.execute("SELECT value FROM models WHERE key = ?", (key,)).fetchone()
            with contextlib.suppress(msgspec.DecodeError, TypeError, UnicodeDecodeError):
                return None if row is None else _descriptions.decode(row[0])
            return None

        return with_database(self.path, read, None) if is_there(self.path) else None

    def put_description(self, key: bytes, description: ModelDescription) -> None:
        """Keep what a model says of itself."""
        value = _encoder.encode(description)

        def write(connection: sqlite3.Connection) -> None:
            with writing(connection):
                connection.execute("INSERT OR REPLACE INTO models (key, value) VALUES (?, ?)", (key, value))
                connection.execute(
                    "DELETE FROM models WHERE rowid <= (SELECT max(rowid) FROM models) - ?", (_MOST_DESCRIPTIONS,)
                )

        with_database(self.path, write, None)

    def clear(self) -> int:
        """Remove everything, from the disk too; how many results there were (0 where that can't be read).

        Emptying a database takes room on the disk for a moment. Where there is none, the file is deleted instead.
        Raises ShiftLensError.
        """
        counted = 0
        failures: list[Exception] = []

        def empty(connection: sqlite3.Connection) -> bool:
            nonlocal counted
            # Overwritten, since the pages of removed rows stay in the file where it can't be made smaller at once.
            connection.execute("PRAGMA secure_delete = ON")
            with writing(connection):
                counted = int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
                for table in (*_TABLES, "models"):
                    connection.execute(f"DELETE FROM {table}")
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return True

        if self._earlier is not None:
            remove(self._earlier)
        done = not is_there(self.path) or with_database(self.path, empty, False, on_failure=failures.append)
        if not done and failures and not is_held(failures[-1]):
            done = remove(self.path)
        with contextlib.suppress(OSError):
            broken(self.path).unlink(missing_ok=True)
        if not done:
            raise ShiftLensError(
                f"The result cache at {self.path} could not be cleared.",
                "If another process holds it, try again; else delete the file.",
            )
        return counted

    def stats(self) -> StoreStats:
        """How much there is. Makes no file."""

        def read(connection: sqlite3.Connection) -> tuple[int, int, int]:
            counts = (int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in _TABLES)
            entries, sides = counts
            return entries, sides, sum(_bytes_in(connection, table) for table in _TABLES)

        nothing = (0, 0, 0)
        entries, sides, held = with_database(self.path, read, nothing) if is_there(self.path) else nothing
        return StoreStats(
            path=self.path,
            entries=entries,
            sides=sides,
            bytes=held,
            limit_bytes=self.limit_bytes,
            file_bytes=sum(_size(path) for path in (self.path, *companions(self.path))),
        )


def _next_use(connection: sqlite3.Connection) -> int:
    return int(connection.execute(f"SELECT {_NEXT_USE}").fetchone()[0])


def _make_room(connection: sqlite3.Connection, allowed: int) -> None:
    """Let go of what was not used for the longest time. What is of one result was used at one time."""
    # Adding up every row takes milliseconds in a large store, and what is stored is never more than its pages.
    if _bytes_of_pages(connection) <= allowed:
        return
    held = sum(_bytes_in(connection, table) for table in _TABLES)
    if held <= allowed:
        return
    every = " UNION ALL ".join(f"SELECT '{table}', rowid, bytes, used FROM {table}" for table in _TABLES)
    leaving: dict[str, list[tuple[int]]] = {table: [] for table in _TABLES}
    for table, rowid, size, _ in connection.execute(f"{every} ORDER BY used"):
        leaving[table].append((rowid,))
        held -= size
        if held <= allowed:
            break
    for table, rows in leaving.items():
        connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", rows)


def _bytes_of_pages(connection: sqlite3.Connection) -> int:
    """The bytes of all pages that hold anything, in constant time."""
    count, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (count - free) * size


def _bytes_in(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT coalesce(sum(bytes), 0) FROM {table}").fetchone()[0])


def _rows(key: bytes, scored: ScoredResponse) -> list[_Row]:
    """What is kept of a result: its own row, and one for each side."""
    sides = {side_key(side): side for side in (scored.base, scored.aligned)}
    result = _Result(side_key(scored.base), side_key(scored.aligned), scored.comparison)
    return [("results", key, _packed(result)), *(("sides", of, _packed(side)) for of, side in sides.items())]


def _size_of(rows: list[_Row]) -> int:
    return sum(len(key) + len(value) for _, key, value in rows)


def _packed(record: _Result | SideScores) -> bytes:
    return zlib.compress(_encoder.encode(record), _QUICK)


def _value(connection: sqlite3.Connection, table: str, key: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """A record as it was kept; None for one that is not there, or is damaged, which the next `put` replaces."""
    row = connection.execute(f"SELECT value FROM {table} WHERE key = ?", (key,)).fetchone()
    try:
        return None if row is None else decoder.decode(zlib.decompress(row[0]))
    except (zlib.error, msgspec.DecodeError, TypeError, UnicodeDecodeError):
        return None


def _sharing(side: SideScores | None, shared: dict[object, Any]) -> SideScores | None:
    """The same side, with the ids and bytes of its tokens in memory once for all sides that share them.

    They are some thousand objects for each response, and the same few in most of them.
    """
    if side is None:
        return None
    once = shared.setdefault
    return replace(side, pieces={once(of, of): once(piece, piece) for of, piece in side.pieces.items()})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

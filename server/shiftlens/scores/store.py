"""Scores by content on disk, within a bound, the least recently used let go first.

Several processes may use one store at once. Every method blocks (keep it off an event loop) and none but `clear`
raises: a store that can't be used finds nothing and keeps nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from shiftlens.errors import ShiftLensError
from shiftlens.scores.columns import ScoredResponse
from shiftlens.scores.database import broken, companions, is_held, is_there, remove, with_database, writing
from shiftlens.scores.description import ModelDescription

DEFAULT_LIMIT_BYTES = 256 << 20

_MOST_DESCRIPTIONS = 256
_MOST_WAIT_TO_NOTE_USE_MS = 50
_QUICK = 1
_NEXT_USE = "(SELECT coalesce(max(used), 0) + 1 FROM results)"

_encoder = msgspec.msgpack.Encoder()
_results = msgspec.msgpack.Decoder(ScoredResponse)
_descriptions = msgspec.msgpack.Decoder(ModelDescription)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What a store holds. `bytes` counts the results, up to `limit_bytes`; `file_bytes` is their room on disk."""

    path: Path
    entries: int
    bytes: int
    limit_bytes: int
    file_bytes: int


class ResultStore:
    """The store in the SQLite file at `path`, which is made when something is first kept."""

    def __init__(self, path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.path = path
        self.limit_bytes = limit_bytes

    def get(self, keys: Iterable[bytes]) -> dict[bytes, ScoredResponse]:
        """Those of the keys that have a result. They count as used now."""
        wanted = list(keys)

        def read(connection: sqlite3.Connection) -> dict[bytes, ScoredResponse]:
            found = {}
            for key in wanted:
                row = connection.execute("SELECT value FROM results WHERE key = ?", (key,)).fetchone()
                scored = None if row is None else _unpacked(row[0])
                if scored is not None:
                    found[key] = scored
            if found:
                # A result that can be read is worth having at once, even where its use can't be noted.
                connection.execute(f"PRAGMA busy_timeout = {_MOST_WAIT_TO_NOTE_USE_MS:d}")
                with contextlib.suppress(sqlite3.OperationalError), writing(connection):
                    # S608: the inserted text is a constant of this file.
                    connection.executemany(
                        f"UPDATE results SET used = {_NEXT_USE} WHERE key = ?",  # noqa: S608
                        [(key,) for key in found],
                    )
            return found

        if not wanted or not is_there(self.path):
            return {}
        return with_database(self.path, read, {})

    def put(self, key: bytes, scored: ScoredResponse) -> None:
        """Keep a result. One that alone is larger than the limit is not kept."""
        value = zlib.compress(_encoder.encode(scored), _QUICK)
        size = len(key) + len(value)

        def write(connection: sqlite3.Connection) -> None:
            with writing(connection):
                connection.execute("DELETE FROM results WHERE key = ?", (key,))
                _make_room(connection, self.limit_bytes - size)
                connection.execute(
                    f"INSERT INTO results (key, used, bytes, value) VALUES (?, {_NEXT_USE}, ?, ?)",  # noqa: S608
                    (key, size, value),
                )

        if size <= self.limit_bytes:
            with_database(self.path, write, None)

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
                connection.execute("DELETE FROM results")
                connection.execute("DELETE FROM models")
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return True

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

        def read(connection: sqlite3.Connection) -> tuple[int, int]:
            row: tuple[int, int] = connection.execute(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM results"
            ).fetchone()
            return row

        entries, held = with_database(self.path, read, (0, 0)) if is_there(self.path) else (0, 0)
        return StoreStats(
            path=self.path,
            entries=entries,
            bytes=held,
            limit_bytes=self.limit_bytes,
            file_bytes=sum(_size(path) for path in (self.path, *companions(self.path))),
        )


def _make_room(connection: sqlite3.Connection, allowed: int) -> None:
    held: int = connection.execute("SELECT coalesce(sum(bytes), 0) FROM results").fetchone()[0]
    if held <= allowed:
        return
    leaving = []
    for rowid, size in connection.execute("SELECT rowid, bytes FROM results ORDER BY used"):
        leaving.append((rowid,))
        held -= size
        if held <= allowed:
            break
    connection.executemany("DELETE FROM results WHERE rowid = ?", leaving)


def _unpacked(value: object) -> ScoredResponse | None:
    """A result as it was kept; None for one that is damaged, which the next `put` replaces."""
    try:
        return _results.decode(zlib.decompress(value))  # type: ignore[arg-type]
    except (zlib.error, msgspec.DecodeError, TypeError, UnicodeDecodeError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

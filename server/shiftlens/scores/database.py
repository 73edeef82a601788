"""The SQLite file: opened for one piece of work at a time, private to the user, begun anew when it is broken."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SCHEMA_VERSION = 2
"""Of the tables. A file with another version is emptied: nothing in it is worth a migration."""

_BUSY_SECONDS = 5.0
_ROW = "(key BLOB PRIMARY KEY, used INTEGER NOT NULL, bytes INTEGER NOT NULL, value BLOB NOT NULL)"
_SCHEMA = (
    f"CREATE TABLE results {_ROW}",
    f"CREATE TABLE sides {_ROW}",
    "CREATE INDEX results_by_use ON results (used, bytes)",
    "CREATE INDEX sides_by_use ON sides (used, bytes)",
    "CREATE TABLE models (key BLOB PRIMARY KEY, value BLOB NOT NULL)",
)

_log = logging.getLogger(__name__)


def with_database(
    path: Path,
    work: Callable[[sqlite3.Connection], T],
    otherwise: T,
    *,
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> T:
    """What `work` returns for a connection to the database at `path`, which is made where there is none.

    `otherwise` where the file can't be used: locked for long, a full disk, a folder that is not ours. A broken file
    is set aside, and `work` is done once more with a new one; it must bear being done again. `on_failure` hears why
    the file could not be used.
    """
    for _ in range(2):
        seen = _identity(path)
        try:
            with contextlib.closing(_connect(path)) as connection:
                return work(connection)
        except (sqlite3.Error, OSError) as error:
            _log.info("The result cache could not be used: %s", error)
            on_failure(error)
            if not (_is_broken(path, error) and _set_aside(path, seen)):
                break
    return otherwise


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its start, so that what it reads stays true until it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def is_held(error: Exception) -> bool:
    """Whether a failure is that another process has the file now, so that it passes."""
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


def remove(path: Path) -> bool:
    """Whether a database and what SQLite keeps beside it are gone. Needs no room on the disk, unlike emptying it."""
    try:
        for each in (*companions(path), path):
            each.unlink(missing_ok=True)
    except OSError as error:
        _log.info("The result cache could not be removed: %s", error)
    return not is_there(path)


def is_there(path: Path) -> bool:
    """Whether there is something at `path`; False also where that can't be told."""
    return _identity(path) is not None


def companions(path: Path) -> tuple[Path, ...]:
    """The files that SQLite keeps beside the database while it is in use."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))


def broken(path: Path) -> Path:
    """Where a broken database is put; it takes the place of an earlier one."""
    return path.with_name(path.name + ".broken")


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # SQLite gives its companion files the mode of this one.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        # Others may read while we write. Where this can't be had (another process asks for the same at this moment)
        # it is had the next time, and the file works without.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not _is_ready(connection):
            _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_ready(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION)


def _prepare(connection: sqlite3.Connection) -> None:
    with writing(connection):
        if _is_ready(connection):
            return
        for table in ("results", "sides", "models"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _is_broken(path: Path, error: Exception) -> bool:
    """SQLite raises the plain class for a damaged or foreign file, subclasses for what may pass."""
    if type(error) is sqlite3.DatabaseError or str(error).startswith("no such "):
        return True
    return is_there(path) and not (path.is_file() and os.access(path, os.R_OK | os.W_OK))


def _set_aside(path: Path, seen: tuple[int, int] | None) -> bool:
    """Whether a new database can be begun. One that another process has begun meanwhile is left alone."""
    if _identity(path) != seen:
        return True
    try:
        path.replace(broken(path))
        for companion in companions(path):
            companion.unlink(missing_ok=True)
    except OSError as error:
        _log.info("The broken result cache could not be set aside: %s", error)
        return False
    _log.warning("The result cache was broken and has been begun anew.")
    return True

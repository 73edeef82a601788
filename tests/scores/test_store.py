"""The store on disk: bounded, private, shared by processes, and never in the way."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shiftlens.errors import ShiftLensError
from shiftlens.scores import database
from shiftlens.scores import store as result_store
from shiftlens.scores.database import broken
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.store import ResultStore

Make = Callable[..., ScoredResponse]

_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from conftest import make_scored
from shiftlens.scores.store import ResultStore
store = ResultStore(Path(sys.argv[1]))
sys.stdin.read()
for n in range(40):
    key = f"{sys.argv[2]}-{n}".encode()
    store.put(key, make_scored(key * 400))
    assert store.get([key]), key
"""

_DESCRIPTION = ModelDescription(
    name="bundled:base",
    path="",
    architecture="LlamaForCausalLM",
    parameters=1,
    vocabulary=2,
    max_positions=None,
    device="cpu",
    dtype="float32",
    fingerprint="f",
)


def _key(n: int) -> bytes:
    return n.to_bytes(32, "big")


def _large(make: Make, which: int = 0, size: int = 10_000) -> ScoredResponse:
    """Scores of a model with itself that take a little more than `size` bytes, since they can't be made smaller."""
    text = random.Random(size).randbytes(size * 5 // 4).decode("latin-1")  # noqa: S311 (no secret)
    return make(b"\1\2\3\4", text=text, base=f"{which:3}", aligned=f"{which:3}")


def _held(make: Make) -> int:
    """How many bytes a store counts for a large result, and a few more: keys are in it, which compress by chance."""
    with tempfile.TemporaryDirectory() as folder:
        store = ResultStore(Path(folder) / "scores.sqlite3")
        store.put(_key(0), _large(make))
        return store.stats().bytes + 64


def test_what_was_put_is_got_in_another_store_of_the_same_file(store: ResultStore, scored: Make) -> None:
    store.put(_key(1), scored())
    assert ResultStore(store.path).get([_key(1), _key(2)]) == {_key(1): scored()}


def test_a_later_result_takes_the_place_of_the_earlier(store: ResultStore, scored: Make) -> None:
    store.put(_key(1), scored(b"old!"))
    store.put(_key(1), scored(b"new!"))
    assert store.get([_key(1)]) == {_key(1): scored(b"new!")}
    assert store.stats().entries == 1


def test_a_base_model_is_kept_once_for_all_models_tuned_from_it(store: ResultStore, scored: Make) -> None:
    tuned = {_key(n): scored(base="base", aligned=f"tuned {n}") for n in range(3)}
    for key, result in tuned.items():
        store.put(key, result)
    assert store.get(tuned) == tuned
    assert (store.stats().entries, store.stats().sides) == (3, 4)


def test_a_result_without_one_of_its_sides_is_not_found(store: ResultStore, scored: Make) -> None:
    store.put(_key(1), scored(base="base", aligned="tuned"))
    with sqlite3.connect(store.path) as connection:
        connection.execute("DELETE FROM sides WHERE rowid = 1")
    connection.close()
    assert store.get([_key(1)]) == {}
    store.put(_key(1), scored(base="base", aligned="tuned"))
    assert set(store.get([_key(1)])) == {_key(1)}


def test_the_store_of_an_earlier_release_is_left_alone_until_this_one_is_cleared(tmp_path: Path, scored: Make) -> None:
    earlier = tmp_path / "results.sqlite3"
    earlier.write_bytes(b"of another release")
    store = ResultStore(tmp_path / "scores.sqlite3", earlier=earlier)
    store.put(_key(1), scored())
    assert earlier.read_bytes() == b"of another release"
    store.clear()
    assert not earlier.exists()


def test_asking_makes_no_file(store: ResultStore) -> None:
    assert store.get([_key(1)]) == {}
    assert store.description(b"k") is None
    assert store.clear() == 0
    assert store.stats().entries == 0
    assert not store.path.parent.exists()


def test_results_stay_within_the_limit_and_the_least_recently_used_go_first(tmp_path: Path, scored: Make) -> None:
    store = ResultStore(tmp_path / "r.sqlite3", limit_bytes=5 * _held(scored))
    for n in range(5):
        store.put(_key(n), _large(scored, n))
    assert store.stats().entries == 5
    assert set(store.get([_key(0)])) == {_key(0)}
    for n in range(5, 8):
        store.put(_key(n), _large(scored, n))
    assert set(store.get(map(_key, range(8)))) == {_key(n) for n in (0, 4, 5, 6, 7)}
    assert store.stats().bytes <= store.limit_bytes


def test_the_file_does_not_grow_past_the_limit_by_much(tmp_path: Path, scored: Make) -> None:
    store = ResultStore(tmp_path / "r.sqlite3", limit_bytes=200_000)
    for n in range(60):
        store.put(_key(n), _large(scored, n))
    assert store.stats().file_bytes < 2 * store.limit_bytes


def test_a_store_far_below_its_limit_adds_nothing_up_when_a_result_is_put(
    tmp_path: Path, scored: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    added_up: list[str] = []

    def count(connection: sqlite3.Connection, table: str) -> int:
        added_up.append(table)
        return bytes_in(connection, table)

    bytes_in = result_store._bytes_in
    monkeypatch.setattr(result_store, "_bytes_in", count)
    store = ResultStore(tmp_path / "r.sqlite3", limit_bytes=40 * _held(scored))
    for n in range(10):
        store.put(_key(n), _large(scored, n))
    added_up.clear()
    for n in range(10, 20):
        store.put(_key(n), _large(scored, n))
    assert added_up == []
    for n in range(20, 60):
        store.put(_key(n), _large(scored, n))
    assert added_up
    assert store.stats().bytes <= store.limit_bytes


def test_a_lower_limit_holds_from_the_next_result_on(store: ResultStore, scored: Make) -> None:
    for n in range(5):
        store.put(_key(n), _large(scored, n))
    smaller = ResultStore(store.path, limit_bytes=2 * _held(scored))
    smaller.put(_key(5), _large(scored, 5))
    assert smaller.stats().entries == 2
    assert _key(5) in smaller.get([_key(5)])


def test_a_result_larger_than_the_limit_is_not_kept_and_drives_out_nothing(tmp_path: Path, scored: Make) -> None:
    store = ResultStore(tmp_path / "r.sqlite3", limit_bytes=_held(scored))
    store.put(_key(1), _large(scored, 1))
    store.put(_key(2), _large(scored, size=20_000))
    assert set(store.get([_key(1), _key(2)])) == {_key(1)}


def test_clearing_leaves_nothing_of_the_text_on_disk(store: ResultStore, scored: Make) -> None:
    store.put(_key(1), scored(b"\1\2\3\4"))
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE results SET value = ?", (b"a secret of the transcript",))
    connection.close()
    broken(store.path).write_bytes(b"a secret of an older one")
    assert store.clear() == 1
    assert store.stats().entries == 0
    assert not any(b"secret" in path.read_bytes() for path in store.path.parent.iterdir())


@pytest.mark.parametrize("at", ["begin", "commit"])
def test_clearing_on_a_full_disk_deletes_the_file(
    store: ResultStore, scored: Make, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    store.put(_key(1), scored())

    @contextlib.contextmanager
    def full(connection: sqlite3.Connection) -> Iterator[None]:
        if at == "commit":
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("shiftlens.scores.store.writing", full)
    assert store.clear() == (1 if at == "commit" else 0)
    assert [path for path in store.path.parent.iterdir() if path.name.startswith(store.path.name)] == []
    monkeypatch.undo()
    store.put(_key(2), scored())
    assert store.stats().entries == 1


def test_clearing_what_another_process_holds_says_so(
    store: ResultStore, scored: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(_key(1), scored())
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ShiftLensError, match="could not be cleared"):
        store.clear()
    # Reading goes on while another writes.
    assert store.get([_key(1)]) == {_key(1): scored()}
    holder.execute("ROLLBACK")
    holder.close()
    assert store.clear() == 1


@pytest.mark.parametrize("how", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_store_that_another_program_holds_keeps_nothing_and_is_used_again_when_it_is_let_go(
    store: ResultStore, scored: Make, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    store.put(_key(1), scored())
    waits: list[float] = []
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)

    def told(path: Path, *, timeout: float, isolation_level: None) -> sqlite3.Connection:
        waits.append(timeout)
        return connect(path, timeout=timeout, isolation_level=isolation_level)

    connect = sqlite3.connect
    with contextlib.closing(connect(store.path, isolation_level=None)) as holder:
        holder.execute(how)
        monkeypatch.setattr(sqlite3, "connect", told)
        store.put(_key(2), scored(b"new!"))
        store.put_description(b"k", _DESCRIPTION)
        # Every wait is bounded.
        assert set(waits) == {0.05}
        holder.execute("ROLLBACK")
    assert store.get([_key(1), _key(2)]) == {_key(1): scored()}
    store.put(_key(2), scored(b"new!"))
    assert set(store.get([_key(1), _key(2)])) == {_key(1), _key(2)}
    assert not broken(store.path).exists()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_nobody_else_can_read_it(store: ResultStore, scored: Make) -> None:
    before = os.umask(0)
    try:
        store.put(_key(1), scored())
        reader = sqlite3.connect(store.path)
        reader.execute("SELECT count(*) FROM results").fetchone()
        assert {path.name for path in store.path.parent.iterdir()} > {"results.sqlite3"}
        modes = {stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
        reader.close()
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.sqlite3"
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", _WRITER, str(path)]
    writers = [
        subprocess.Popen([*command, name, here], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for name in "abc"
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    for writer in writers:
        assert writer.stderr is not None
        said = writer.stderr.read().decode()
        writer.stderr.close()
        assert writer.wait(60) == 0, said
    keys = [f"{name}-{n}".encode() for name in "abc" for n in range(40)]
    assert set(ResultStore(path).get(keys)) == set(keys)
    assert not broken(path).exists()


@pytest.mark.parametrize("garbage", [b"this is no database" * 99, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_set_aside(store: ResultStore, scored: Make, garbage: bytes) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(garbage)
    assert store.get([_key(1)]) == {}
    store.put(_key(1), scored())
    assert store.get([_key(1)]) == {_key(1): scored()}
    assert broken(store.path).read_bytes() == garbage


def test_a_damaged_database_is_set_aside(store: ResultStore, scored: Make) -> None:
    for n in range(5):
        store.put(_key(n), _large(scored, n))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:4096] + b"\xee" * (len(whole) - 4096))
    assert store.get([_key(1)]) == {}
    store.put(_key(1), scored())
    assert store.get([_key(1)]) == {_key(1): scored()}


def test_a_folder_in_its_place_is_set_aside(store: ResultStore, scored: Make) -> None:
    store.path.mkdir(parents=True)
    store.put(_key(1), scored())
    assert store.get([_key(1)]) == {_key(1): scored()}


def test_a_database_without_its_tables_is_begun_anew(store: ResultStore, scored: Make) -> None:
    store.put(_key(1), scored())
    with sqlite3.connect(store.path) as connection:
        connection.execute("DROP TABLE results")
    connection.close()
    store.put(_key(2), scored())
    assert set(store.get([_key(1), _key(2)])) == {_key(2)}


def test_tables_of_another_version_are_emptied(store: ResultStore, scored: Make) -> None:
    store.put(_key(1), scored())
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("ALTER TABLE results RENAME COLUMN value TO other")
    connection.close()
    assert store.get([_key(1)]) == {}
    store.put(_key(1), scored())
    assert store.get([_key(1)]) == {_key(1): scored()}
    assert not broken(store.path).exists()


@pytest.mark.parametrize("value", [b"", b"garbage", b"x\x9cgarbage", 7, "text", None])
def test_a_damaged_result_is_not_found_and_can_be_put_again(
    store: ResultStore, scored: Make, value: bytes | int | str | None
) -> None:
    store.put(_key(1), scored())
    store.put(_key(2), scored())
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        written = b"" if value is None else value
        connection.execute("UPDATE results SET value = ? WHERE key = ?", (written, _key(1)))
    connection.close()
    assert set(store.get([_key(1), _key(2)])) == {_key(2)}
    store.put(_key(1), scored())
    assert set(store.get([_key(1), _key(2)])) == {_key(1), _key(2)}


@pytest.mark.parametrize("table", ["results", "sides"])
def test_a_record_with_any_byte_changed_before_it_was_packed_is_not_found_or_is_one(
    store: ResultStore, scored: Make, table: str
) -> None:
    store.put(_key(1), scored())
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        (packed,) = connection.execute(f"SELECT value FROM {table}").fetchone()  # noqa: S608 (a name of this test)
    whole = zlib.decompress(packed)
    for at in range(0, len(whole), 7):
        damaged = zlib.compress(whole[:at] + b"\xff" + whole[at + 1 :])
        with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
            connection.execute(f"UPDATE {table} SET value = ?", (damaged,))  # noqa: S608 (a name of this test)
        assert all(isinstance(found, ScoredResponse) for found in store.get([_key(1)]).values())


def test_a_description_with_any_byte_changed_is_not_found_or_is_one(store: ResultStore) -> None:
    store.put_description(b"k", _DESCRIPTION)
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        (whole,) = connection.execute("SELECT value FROM models").fetchone()
        for at in range(0, len(whole), 3):
            damaged = whole[:at] + b"\xff" + whole[at + 1 :]
            with connection:
                connection.execute("UPDATE models SET value = ?", (damaged,))
            found = store.description(b"k")
            assert found is None or isinstance(found, ModelDescription)


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, scored: Make) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ResultStore(tmp_path / "file" / "results.sqlite3")
    store.put(_key(1), scored())
    assert store.get([_key(1)]) == {}
    assert store.stats().entries == 0


def test_descriptions_are_kept_beside_the_results_and_cleared_with_them(store: ResultStore) -> None:
    store.put_description(b"k", _DESCRIPTION)
    assert store.description(b"k") == _DESCRIPTION
    assert store.description(b"other") is None
    store.clear()
    assert store.description(b"k") is None


def test_old_descriptions_make_room_for_new_ones(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftlens.scores.store._MOST_DESCRIPTIONS", 3)
    for n in range(5):
        store.put_description(bytes([n]), _DESCRIPTION)
    assert [store.description(bytes([n])) is not None for n in range(5)] == [False, False, True, True, True]


def test_bytes_of_a_token_are_in_memory_once_for_all_sides_that_have_it(store: ResultStore, scored: Make) -> None:
    for n in range(2):
        store.put(_key(n), scored(base="base", aligned=f"tuned {n}"))
    found = store.get([_key(0), _key(1)]).values()
    pieces = [side.pieces for result in found for side in (result.base, result.aligned)]
    assert all(each == pieces[0] for each in pieces)
    assert {len({id(each[token]) for each in pieces}) for token in pieces[0]} == {1}


def test_many_results_are_written_in_few_transactions(
    store: ResultStore, scored: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def counted(path: Path, *rest: Any) -> Any:
        opened.append(path)
        return database.with_database(path, *rest)

    results = {_key(n): scored(n.to_bytes(4, "big")) for n in range(100)}
    monkeypatch.setattr(result_store, "with_database", counted)
    store.put_all(results.items())
    assert len(opened) == 2
    assert store.get(results) == results


def test_of_many_results_one_that_is_too_large_is_not_kept_and_the_others_are(tmp_path: Path, scored: Make) -> None:
    store = ResultStore(tmp_path / "r.sqlite3", limit_bytes=_held(scored) // 2)
    results = {_key(0): scored(), _key(1): _large(scored), _key(2): scored(b"more")}
    store.put_all(results.items())
    assert set(store.get(results)) == {_key(0), _key(2)}

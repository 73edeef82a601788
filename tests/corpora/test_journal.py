"""The journal: what it tells after any end of the process that wrote it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shiftlens.corpora.journal import Commit, Plan, Progress, begin, go_on
from shiftlens.corpora.reading import Place, Problem
from shiftlens.errors import ShiftLensError

PLAN = Plan(output="out.jsonl", choice={"base": "b", "thresholds": [1, 3]}, files=[("a", 1, 2)])

small = st.integers(0, 1000)
problems = st.builds(
    Problem,
    st.text(),
    st.none() | small,
    st.none() | small,
    st.text(),
    st.sampled_from(["left out", "in part", "refused", "note"]),
)
commits = st.lists(
    st.builds(
        Commit,
        size=small,
        then=st.builds(Place, small, small, small),
        responses=small,
        positions=small,
        problems=st.lists(problems, max_size=3).map(tuple),
        is_read=st.booleans(),
    ),
    max_size=5,
)


@given(commits, st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_journal_cut_at_any_byte_tells_of_the_commits_that_are_whole(
    tmp_path: Path, every: list[Commit], data: st.DataObject
) -> None:
    path = tmp_path / "out.jsonl.journal"
    written = begin(path, PLAN)
    ends = [path.stat().st_size]
    for commit in every:
        written.commit(commit)
        ends.append(path.stat().st_size)
    written.close()
    cut = data.draw(st.integers(ends[0], ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])

    whole = sum(end <= cut for end in ends) - 1
    expected = Progress()
    for commit in every[:whole]:
        expected = expected.and_(commit)
    again = go_on(path)
    assert (again.plan, again.progress) == (PLAN, expected)
    assert path.stat().st_size == ends[whole]
    assert list(again.problems()) == [problem for commit in every[:whole] for problem in commit.problems]
    for commit in every[whole:]:
        again.commit(commit)
    again.close()
    last = go_on(path)
    assert last.progress == written.progress
    last.close()


@given(st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "out.jsonl.journal"
    path.write_bytes(raw)
    with pytest.raises(ShiftLensError, match="is no journal"):
        go_on(path)
    assert path.read_bytes() == raw


def test_one_process_has_a_journal_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="there are no such locks on this system")
    path = tmp_path / "out.jsonl.journal"
    first = begin(path, PLAN)
    with pytest.raises(ShiftLensError, match="Another process"):
        go_on(path)
    with pytest.raises(ShiftLensError, match="Another process"):
        begin(path, PLAN)
    first.close()
    go_on(path).close()


def test_a_file_system_without_locks_is_written_to_and_any_other_fault_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="there are no such locks on this system")

    def fails(number: int) -> None:
        def flock(*_: object) -> None:
            raise OSError(number, "as told")

        monkeypatch.setattr(fcntl, "flock", flock)

    fails(errno.ENOLCK)
    begin(tmp_path / "j", PLAN).close()
    go_on(tmp_path / "j").close()
    fails(errno.EIO)
    with pytest.raises(OSError, match="as told"):
        go_on(tmp_path / "j")


def test_what_cannot_be_whole_is_told(tmp_path: Path) -> None:
    journal = begin(tmp_path / "j", PLAN)
    assert journal.progress.is_whole
    journal.commit(Commit(size=0, then=Place(0, 1), problems=(Problem("a", 0, 1, "No transcript.", "note"),)))
    assert journal.progress.is_whole
    journal.commit(Commit(size=0, then=Place(0, 2), problems=(Problem("a", 1, 2, "Broken."),)))
    assert (journal.progress.is_whole, journal.progress.left_out) == (False, 1)
    journal.close()

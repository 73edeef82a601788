"""The journal beside an output: what of a corpus is written for good, so that a run that was cut short goes on.

It is a file of JSON lines: first what is being done, then a line for each commit, which is written after the rows that
it tells of are on the disk. What stands in the output behind what the last whole line of the journal tells of was never
committed, and is cut off. So a run that is killed loses the rows in flight at most, and no row is there twice.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import msgspec

from shiftlens.corpora.reading import IN_PART, LEFT_OUT, REFUSED, START, Place, Problem
from shiftlens.errors import ShiftLensError

if sys.platform != "win32":
    import fcntl

SCHEMA = "shiftlens-corpus-journal/1"

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""How a file system says that it has no locks."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run does: everything that changes a byte of its output. `files` has name, size and time of change."""

    journal: str = SCHEMA
    output: str
    choice: dict[str, Any]
    files: list[tuple[str, int, int]]


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What is new since the commit before. `size` is that of the output so far, in bytes; `then` where to read on.

    `windows` is how many there were before and with this one.
    `is_read` says that nothing is left to be read and scored, `is_end` that the output is in its place as well.
    """

    size: int
    then: Place
    responses: int = 0
    positions: int = 0
    windows: int = 0
    problems: tuple[Problem, ...] = ()
    is_read: bool = False
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """All commits together."""

    size: int = 0
    then: Place = START
    responses: int = 0
    positions: int = 0
    windows: int = 0
    left_out: int = 0
    in_part: int = 0
    refused: int = 0
    is_read: bool = False
    is_end: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all that was read is in the output, with its scores."""
        return not (self.left_out or self.in_part or self.refused)

    def and_(self, commit: Commit) -> Progress:
        """With one more commit."""
        kinds = [problem.kind for problem in commit.problems]
        return replace(
            self,
            size=commit.size,
            then=commit.then,
            responses=self.responses + commit.responses,
            positions=self.positions + commit.positions,
            windows=commit.windows,
            left_out=self.left_out + kinds.count(LEFT_OUT),
            in_part=self.in_part + kinds.count(IN_PART),
            refused=self.refused + kinds.count(REFUSED),
            is_read=commit.is_read,
            is_end=commit.is_end,
        )


_commits = msgspec.json.Decoder(Commit)
_plans = msgspec.json.Decoder(Plan)


def lines_of(raw: Iterable[bytes]) -> Iterator[tuple[Plan | Commit, int]]:
    """The plan and the commits of a journal, each with the bytes up to its end; ends before a line that is torn."""
    end = 0
    for number, line in enumerate(raw):
        if not line.endswith(b"\n"):
            return
        try:
            found: Plan | Commit = (_commits if number else _plans).decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        end += len(line)
        yield found, end


class Journal:
    """The journal of a run that goes on here. One process has it at a time.

    `plan` is what the journal says is being done, `progress` what is done by now.
    """

    def __init__(self, path: Path, file: IO[bytes], plan: Plan, progress: Progress) -> None:
        self.path, self.plan, self.progress = path, plan, progress
        self._file = file

    def commit(self, commit: Commit) -> None:
        """Write a commit for good. What it tells of must be on the disk."""
        self._file.write(msgspec.json.encode(commit) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.progress = self.progress.and_(commit)

    def commits(self) -> Iterator[Commit]:
        """All commits, read anew."""
        with self.path.open("rb") as file:
            for line, _ in lines_of(file):
                if isinstance(line, Commit):
                    yield line

    def problems(self) -> Iterator[Problem]:
        """All problems of all commits, read anew."""
        return (problem for commit in self.commits() for problem in commit.problems)

    def close(self) -> None:
        self._file.close()


def begin(path: Path, plan: Plan) -> Journal:
    """A new journal in place of any that is there. Raises OSError, and ShiftLensError where another process has it."""
    if path.exists():
        _locked(path, path.open("r+b")).close()
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(plan) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return Journal(path, _locked(path, path.open("ab")), plan, Progress())


def go_on(path: Path) -> Journal:
    """The journal that is there, without a last line that is torn.

    Raises OSError, and ShiftLensError where it is no journal or another process has it.
    """
    file = _locked(path, path.open("r+b"))
    plan: Plan | None = None
    progress, end = Progress(), 0
    try:
        for line, upto in lines_of(file):
            end = upto
            if isinstance(line, Plan):
                plan = line
            else:
                progress = progress.and_(line)
        if plan is None or plan.journal != SCHEMA:
            raise ShiftLensError(
                f"{path} is no journal of this version of ShiftLens.",
                "Begin anew with --restart, or name another output.",
            )
        file.truncate(end)
        file.seek(end)
    except BaseException:
        file.close()
        raise
    return Journal(path, file, plan, progress)


def _locked(path: Path, file: IO[bytes]) -> IO[bytes]:
    """The file, locked for this process where its system and file system have locks. Raises ShiftLensError, OSError."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ShiftLensError(
                f"Another process is writing what {path} tells of.", "Wait for it, or name another output."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                file.close()
                raise
    return file

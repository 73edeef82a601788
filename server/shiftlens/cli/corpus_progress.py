"""What a run over a corpus says on standard error: how far it is and how fast, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from shiftlens.text.visible import harmless, harmless_name

if TYPE_CHECKING:
    from shiftlens.corpora.journal import Journal
    from shiftlens.corpora.reading import Problem
    from shiftlens.corpora.runner import Status

_SECONDS_BETWEEN_LINES = 10.0
_MOST_PROBLEMS = 20


class CorpusProgress:
    """Writes to `file`: on a terminal one line that changes, elsewhere a line every ten seconds.

    `clock` gives seconds. Rates are of this run, counts of all of the output.
    """

    def __init__(self, file: TextIO, journal: Journal, clock: Callable[[], float]) -> None:
        self._file, self._journal, self._clock = file, journal, clock
        self._began = self._said = clock()
        self._at_start = journal.progress
        self._timed_from: tuple[float, float] | None = None
        self._told = 0
        self._is_line_open = False

    def begin(self) -> None:
        """Say what is there already."""
        before = self._at_start
        if (before.responses or before.left_out) and not before.is_end:
            self.say(
                f"Going on with a run that was cut short: {before.responses:,} responses are written, and"
                f" {_rows(before.left_out)} left out."
            )

    def show(self, status: Status) -> None:
        """Say how far the run is, and name what could not be read."""
        if status.remark:
            self.say(status.remark)
            return
        for problem in status.problems:
            self._tell(problem)
        is_terminal = self._file.isatty()
        now = self._clock()
        if self._timed_from is None:
            # Of a run that goes on, the first commit tells where it was, near enough.
            self._timed_from = (now, status.done) if self._at_start.responses else (self._began, 0.0)
        if is_terminal or now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            line = self._line(status, now)
            self._file.write(f"\r\x1b[K{line}" if is_terminal else f"{line}\n")
            self._is_line_open = is_terminal
            self._file.flush()

    def end(self, output: Path) -> None:
        """Say what came of all of it."""
        done = self._journal.progress
        now = self._clock()
        fresh = done.responses - self._at_start.responses
        rate = f", {_rates(fresh, done.positions - self._at_start.positions, now - self._began)}" if fresh else ""
        self.say(f"{harmless_name(str(output))}: {done.responses:,} responses, {done.positions:,} positions{rate}.")
        for count, words in (
            (done.left_out, "left out, since they can't be read"),
            (done.in_part, "read in part"),
            (done.refused, "refused"),
        ):
            if count:
                self.say(f"{_rows(count)} {words}; {harmless_name(str(self._journal.path))} names each.")

    def say(self, sentence: str) -> None:
        """Write a line of its own."""
        if self._is_line_open:
            self._file.write("\r\x1b[K")
            self._is_line_open = False
        self._file.write(f"{harmless(sentence)}\n")
        self._file.flush()

    def _tell(self, problem: Problem) -> None:
        self._told += 1
        if self._told == _MOST_PROBLEMS + 1:
            self.say(f"More of this is told in {harmless_name(str(self._journal.path))} only.")
        if self._told > _MOST_PROBLEMS:
            return
        where = "" if problem.line is None else f"line {problem.line}: "
        if problem.line is None and problem.row is not None:
            where = f"row {problem.row}: "
        self.say(f"{harmless_name(problem.file)}: {where}{problem.why}")

    def _line(self, status: Status, now: float) -> str:
        done, took = status.progress, now - self._began
        fresh = done.responses - self._at_start.responses
        rates = _rates(fresh, done.positions - self._at_start.positions, took)
        since, before = self._timed_from or (self._began, 0.0)
        left = ""
        if status.done > before:
            left = f", {_time((now - since) * (1 - status.done) / (status.done - before))} left"
        bad = f"; {_rows(done.left_out)} left out" if done.left_out else ""
        return f"{done.responses:,} responses, {status.done:.0%} of the input{left}; {rates}{bad}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _rates(responses: int, positions: int, seconds: float) -> str:
    seconds = max(seconds, 1e-9)
    return f"{responses / seconds:,.1f} responses and {positions / seconds:,.0f} positions a second"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

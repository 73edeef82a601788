"""What a run over a corpus says on standard error."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from shiftlens.cli.corpus_progress import CorpusProgress
from shiftlens.corpora.journal import Commit, Journal, Plan, begin
from shiftlens.corpora.reading import Place, Problem
from shiftlens.corpora.runner import Status

PLAN = Plan(output="out.jsonl", choice={}, files=[])


class Clock:
    """Seconds, as they are set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return begin(tmp_path / "out.jsonl.journal", PLAN)


def commit(journal: Journal, responses: int, *problems: Problem) -> None:
    journal.commit(Commit(size=0, then=Place(0, 1), responses=responses, positions=10 * responses, problems=problems))


def test_a_line_comes_every_ten_seconds_with_rate_and_time_left(journal: Journal) -> None:
    said, clock = io.StringIO(), Clock()
    progress = CorpusProgress(said, journal, clock)
    for second, done in ((4, 0.1), (10, 0.25), (15, 0.3), (20, 0.5)):
        clock.now = second
        commit(journal, 100)
        progress.show(Status(journal.progress, done))
    assert said.getvalue().splitlines() == [
        "200 responses, 25% of the input, 30 s left; 20.0 responses and 200 positions a second",
        "400 responses, 50% of the input, 20 s left; 20.0 responses and 200 positions a second",
    ]


def test_a_run_that_goes_on_says_so_and_its_rate_is_its_own(journal: Journal) -> None:
    commit(journal, 1000)
    said, clock = io.StringIO(), Clock()
    progress = CorpusProgress(said, journal, clock)
    progress.begin()
    clock.now = 10
    commit(journal, 50)
    progress.show(Status(journal.progress, 0.6))
    clock.now = 20
    commit(journal, 50)
    progress.show(Status(journal.progress, 0.8))
    going, first, second = said.getvalue().splitlines()
    assert going.startswith("Going on with a run that was cut short: 1,000 responses are written")
    assert first == "1,050 responses, 60% of the input; 5.0 responses and 50 positions a second"
    assert second == "1,100 responses, 80% of the input, 10 s left; 5.0 responses and 50 positions a second"


def test_the_first_problems_are_named_with_file_line_and_reason_and_all_are_counted(journal: Journal) -> None:
    said = io.StringIO()
    progress = CorpusProgress(said, journal, Clock())
    problems = [Problem("a\x1b[2J.jsonl", row, row + 1, f"Broken {row}.") for row in range(30)]
    commit(journal, 5, *problems)
    progress.show(Status(journal.progress, 1.0, tuple(problems)))
    progress.end(Path("out.jsonl"))
    lines = said.getvalue().splitlines()
    assert lines[0] == "a␛[2J.jsonl: line 1: Broken 0."
    assert lines[19].endswith("line 20: Broken 19.")
    assert lines[20] == f"More of this is told in {journal.path} only."
    assert lines[-1] == f"30 rows left out, since they can't be read; {journal.path} names each."
    assert len(lines) == 23


def test_on_a_terminal_one_line_changes(journal: Journal) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    said = Terminal()
    progress = CorpusProgress(said, journal, Clock())
    commit(journal, 1)
    progress.show(Status(journal.progress, 0.5))
    progress.show(Status(journal.progress, 0.5, remark="The engine ended."))
    assert said.getvalue().count("\n") == 1
    assert said.getvalue().count("\r\x1b[K") == 2

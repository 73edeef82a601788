"""A run over a corpus: read, score, write and commit, a window at a time, with the next one read meanwhile."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import IO, ParamSpec, TypeVar

import msgspec

from shiftlens.analysis.classify import build
from shiftlens.analysis.parts import has_part_of
from shiftlens.corpora.journal import Commit, Journal, Progress
from shiftlens.corpora.output import Output, encoded
from shiftlens.corpora.reading import REFUSED, CorpusReader, Found, Problem
from shiftlens.corpora.record import CorpusRow, scored_row, unscored_row
from shiftlens.corpora.windows import Window, by_length, windows
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Refused, Score, Scored
from shiftlens.errors import EngineError, ScoringError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import FROM_FILE
from shiftlens.pipeline.unscored import why_not
from shiftlens.saved.scores import every_reading, saved_scores
from shiftlens.saved.tokens import SavedError
from shiftlens.scores.records import AnyScores, ScoredResponse

_TRIES = 3

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is: what is committed, how much of the corpus that is (0 to 1), and problems that are new."""

    progress: Progress
    done: float
    problems: tuple[Problem, ...] = ()
    remark: str = ""


def _every(_: int) -> bool:
    return True


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "corpus")


@dataclass(frozen=True, slots=True)
class Corpus:
    """A run. `on_status` is told after each commit, and of an engine that has to be started anew.

    Of all windows, which are numbered from 0, those are scored that `take` says. One thread reads, another one writes:
    each keeps the memory that it has freed for what it does next, so that two which do both would keep more.
    """

    engine: EngineClient
    reader: CorpusReader
    choice: Choice
    output: Output
    journal: Journal
    on_status: Callable[[Status], None]
    take: Callable[[int], bool] = _every
    reading: ThreadPoolExecutor = field(default_factory=_thread)
    writing: ThreadPoolExecutor = field(default_factory=_thread)

    async def run(self) -> Progress:
        """Do what is left of it. Raises ModelError and EngineError as the engine does, OSError, ShiftLensError.

        Whatever ends it, what is committed stays, and a later run goes on from there.
        """
        await self.score()
        if self.output.is_parquet and not self.journal.progress.is_end:
            remark = f"All is scored; {self.output.path.name} is made of it."
            self.on_status(Status(self.journal.progress, 1.0, remark=remark))
        await asyncio.to_thread(finish, self.output, self.journal)
        self.on_status(Status(self.journal.progress, 1.0))
        return self.journal.progress

    async def score(self) -> None:
        """Do it all but for putting the output in its place."""
        if not self.journal.progress.is_read:
            with self.output.appending(self.journal.progress.size) as file:
                await self._windows(file)
            self.journal.commit(read_to_the_end(self.journal.progress))

    async def _windows(self, file: IO[bytes]) -> None:
        number = self.journal.progress.windows
        found = windows(self.reader.read(self.journal.progress.then))
        coming = _in_thread(self.reading, _next, found)
        try:
            while (window := await coming) is not None:
                coming = _in_thread(self.reading, _next, found)
                number += 1
                if self.take(number - 1):
                    await self._window(file, window, number)
        finally:
            # The thread can't be stopped, and reads from files that are closed otherwise.
            await asyncio.gather(coming, return_exceptions=True)

    async def _window(self, file: IO[bytes], window: Window, number: int) -> None:
        """Score and commit a window, the `number`-th. Its rows, megabytes of them, are let go of with the return."""
        rows = await self._scored(window)
        size = await _in_thread(self.writing, self.output.append, file, [row.line for row in rows])
        problems = (*window.problems, *(row.problem for row in rows if row.problem is not None))
        commit = Commit(
            size=size,
            then=window.then,
            responses=len(rows),
            positions=sum(row.positions for row in rows),
            windows=number,
            problems=problems,
        )
        await _in_thread(self.writing, self.journal.commit, commit)
        self.on_status(Status(self.journal.progress, window.done, problems))

    async def _scored(self, window: Window) -> list[_Line]:
        """The rows of a window, in the order of its responses."""
        lines: dict[int, _Line] = {}
        places = {id(found): at for at, found in enumerate(window.found)}
        wanted: list[Found] = []
        for found in by_length(window.found):
            if has_part_of(found.response, self.choice.score_options.parts):
                wanted.append(found)
            else:
                row = unscored_row(found, self.choice.pair, "not_scored", why_not(found.response))
                lines[places[id(found)]] = _Line(encoded(row), 0)
        for found, line in zip(wanted, await self._lines(wanted), strict=True):
            lines[places[id(found)]] = line
        return [lines[at] for at in range(len(window.found))]

    async def _lines(self, wanted: Sequence[Found]) -> list[_Line]:
        """The rows of responses, which are scored together. Raises ModelError, EngineError."""
        if not wanted:
            return []
        if self.choice.scores == FROM_FILE:
            return await _in_thread(self.writing, self._saved_lines, wanted)
        for tries in range(_TRIES):
            try:
                return await self._once(wanted)
            except EngineError as error:
                if tries == _TRIES - 1:
                    raise
                self.on_status(Status(self.journal.progress, -1.0, remark=f"{error} It is asked again."))
            except ScoringError as error:
                if len(wanted) == 1:
                    return [self._refused(wanted[0], str(error))]
                # There was not enough memory for all of them, or one of them is too much.
                return [line for each in wanted for line in await self._lines([each])]
        raise EngineError("The engine ended each time it was asked.", "Ask again.")

    async def _once(self, wanted: Sequence[Found]) -> list[_Line]:
        request = Score(
            pair=self.choice.pair,
            options=self.choice.score_options,
            responses=tuple(found.requests[found.number] for found in wanted),
            remember=False,
        )
        lines: dict[int, _Line] = {}
        compat = self.choice.score_options.compat
        async with aclosing(self.engine.run(request)) as events:
            async for event in events:
                if isinstance(event, Scored) and not event.partial:
                    # In a thread: what comes meanwhile is read, so that the engine never waits to be heard.
                    lines[event.index] = await _in_thread(
                        self.writing, self._line, wanted[event.index], event.scored, compat
                    )
                elif isinstance(event, Refused):
                    why = f"{event.problem} {event.remedy}".strip()
                    lines[event.index] = self._refused(wanted[event.index], why)
        return [lines[at] for at in range(len(wanted))]

    def _saved_lines(self, wanted: Sequence[Found]) -> list[_Line]:
        """The rows of responses with the scores that the files hold themselves, which take no model."""
        # All answers in a prompt share its logprobs.
        read = functools.lru_cache(maxsize=2)(every_reading)
        lines = []
        for found in wanted:
            try:
                scored = saved_scores(found.response, self.choice.score_options.parts, read)
            except SavedError as error:
                lines.append(self._refused(found, str(error)))
            else:
                # AlignTDS's own numbers, which alone are of two models, go by its rules.
                compat = "aligntds" if isinstance(scored, ScoredResponse) else ""
                lines.append(self._line(found, scored, compat))
        return lines

    def _line(self, found: Found, scored: AnyScores, compat: str) -> _Line:
        analysis = build(found.response, scored, self.choice.classify_options, compat=compat)
        row: CorpusRow = scored_row(found, self.choice.pair, analysis)
        return _Line(encoded(row), scored.rows)

    def _refused(self, found: Found, why: str) -> _Line:
        problem = Problem(found.file, found.at.row, found.line, f"Response {found.at.response + 1}: {why}", REFUSED)
        return _Line(encoded(unscored_row(found, self.choice.pair, "refused", why)), 0, problem)


def read_to_the_end(progress: Progress) -> Commit:
    """The commit that says that nothing is left to be read."""
    return Commit(size=progress.size, then=progress.then, windows=progress.windows, is_read=True)


def finish(output: Output, journal: Journal) -> None:
    """Put an output in its place once all is read. May be done again where it was cut short. Raises OSError,
    ShiftLensError."""
    if not journal.progress.is_end:
        output.finish()
        journal.commit(msgspec.structs.replace(read_to_the_end(journal.progress), is_end=True))
    output.tidy()


@dataclass(frozen=True, slots=True)
class _Line:
    """A row as it is written, how many positions it has, and why it has none where the models refused it."""

    line: bytes
    positions: int
    problem: Problem | None = None


def _in_thread(thread: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(thread, functools.partial(work, *args, **named))


def _next(found: Iterator[Window]) -> Window | None:
    return next(found, None)

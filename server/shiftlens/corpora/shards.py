"""A run in several processes: each takes its own windows of the corpus, and what they wrote is joined in order.

A shard reads the whole corpus, which is cheap beside scoring, and scores every n-th window. It has rows and a journal
of its own, so that it goes on where it was as any run does. Windows are the same whoever scores them, and so is the
output.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from shiftlens.corpora.journal import Commit, Journal, Plan, Progress, go_on, lines_of
from shiftlens.corpora.output import Output
from shiftlens.corpora.plan import open_journal
from shiftlens.corpora.reading import CorpusReader
from shiftlens.corpora.runner import Corpus, Status, finish, read_to_the_end
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ShiftLensError
from shiftlens.options.choice import Choice

_FIRST = "first window"
_NAME = re.compile(r"\.shard-\d+-of-(\d+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """The windows from number `first` on that leave `index` when divided by `count`."""

    index: int
    count: int
    first: int = 0

    def takes(self, window: int) -> bool:
        return window >= self.first and window % self.count == self.index

    def output(self, whole: Output) -> Output:
        """Where its rows go."""
        name = f"{whole.path.stem}.shard-{self.index + 1}-of-{self.count}{whole.path.suffix}"
        return Output(whole.path.with_name(name))

    def plan(self, whole: Plan) -> Plan:
        """What it does of a plan."""
        choice = {**whole.choice, "shard": f"{self.index + 1} of {self.count}", _FIRST: self.first}
        return msgspec.structs.replace(whole, output=f"{whole.output}, shard {self.index + 1}", choice=choice)


def shards_of(output: Output, journal: Journal, count: int | None = None) -> tuple[Shard, ...]:
    """The shards of what is left of a run, `count` or as many as it was begun with; none where it was begun without.

    Raises ShiftLensError where it was begun with another number of them, and OSError.
    """
    first = journal.progress.windows
    for path, others in _left(output):
        if count not in (None, others):
            raise ShiftLensError(
                f"{output.path} was begun with {others} workers: {path.name} is there.",
                f"Ask for --workers {others}, or begin anew with --restart.",
            )
        count = others
        if path.name.endswith(".journal"):
            # Where joining them was cut short, the output has more windows by now than when they began.
            first = _first_window(path, first)
    total = count or 0
    return tuple(Shard(index, total, first) for index in range(total))


def drop_shards(output: Output) -> None:
    """Remove what shards of an output have left."""
    for path, _ in list(_left(output)):
        path.unlink(missing_ok=True)


def _left(output: Output) -> Iterator[tuple[Path, int]]:
    """The files of shards of an output, with how many shards there were."""
    stem, ends = output.path.stem, tuple(f"{output.path.suffix}.{end}" for end in ("part", "journal", "journal.new"))
    for path in output.path.parent.iterdir():
        # A journal that was about to begin has a dot before its name.
        name = path.name.removeprefix(".") if path.name.endswith(".new") else path.name
        for end in ends:
            if name.startswith(stem) and name.endswith(end):
                named = _NAME.fullmatch(name.removeprefix(stem).removesuffix(end))
                if named:
                    yield path, int(named[1])


def _first_window(journal: Path, otherwise: int) -> int:
    """The number of the first window that the shard of a journal was to take from; `otherwise` where it tells none."""
    with journal.open("rb") as file:
        plan = next((line for line, _ in lines_of(file) if isinstance(line, Plan)), None)
    first = None if plan is None else plan.choice.get(_FIRST)
    return first if isinstance(first, int) else otherwise


async def score_shard(
    shard: Shard,
    whole: Output,
    plan: Plan,
    engine: EngineClient,
    reader: CorpusReader,
    choice: Choice,
    on_status: Callable[[Status], None],
) -> Progress:
    """Score what a shard takes, from where it was. Raises as `Corpus.run` does."""
    output = shard.output(whole)
    journal = open_journal(output, shard.plan(plan))
    try:
        await Corpus(engine, reader, choice, output, journal, on_status, shard.takes).score()
        return journal.progress
    finally:
        journal.close()


async def score_in_turn(
    shards: Sequence[Shard],
    output: Output,
    plan: Plan,
    journal: Journal,
    engine: EngineClient,
    reader: CorpusReader,
    choice: Choice,
    on_status: Callable[[Status], None],
) -> None:
    """Score what shards have left, one shard after the other, and join them. Raises as `Corpus.run` does."""
    before, done = journal.progress, list[Progress]()
    for shard in [] if before.is_read else shards:

        def note(status: Status) -> None:
            part = (len(done) + max(status.done, 0.0)) / len(shards)
            on_status(replace(status, progress=together(before, [*done, status.progress]), done=part))

        done.append(await score_shard(shard, output, plan, engine, reader, choice, note))
    await asyncio.to_thread(join_shards, shards, output, journal)


def together(before: Progress, found: Sequence[Progress]) -> Progress:
    """What shards have done in addition to what was done before."""
    progress = before
    for each in found:
        progress = replace(
            progress,
            responses=progress.responses + each.responses,
            positions=progress.positions + each.positions,
            left_out=progress.left_out + each.left_out,
            in_part=progress.in_part + each.in_part,
            refused=progress.refused + each.refused,
        )
    return progress


def join_shards(
    shards: Sequence[Shard],
    output: Output,
    journal: Journal,
    on_status: Callable[[Status], None] | None = None,
) -> None:
    """Put what shards wrote into the output, in the order of the corpus; they are removed then.

    Each of them must have come to its end. May be done again where it was cut short. `on_status` is told of problems.
    Raises OSError, ShiftLensError.
    """
    if not journal.progress.is_read:
        with ExitStack() as stack, output.appending(journal.progress.size) as to:
            parts = [stack.enter_context(_windows_of(shard.output(output))) for shard in shards]
            waiting = [next(part, None) for part in parts]
            while any(waiting):
                at = min((i for i, each in enumerate(waiting) if each), key=functools.partial(_number, waiting))
                commit, rows = waiting[at] or (None, b"")
                if commit is not None and commit.windows > journal.progress.windows:
                    size = output.append_as_it_is(to, rows)
                    journal.commit(msgspec.structs.replace(commit, size=size))
                    if commit.problems and on_status is not None:
                        on_status(Status(journal.progress, 1.0, commit.problems))
                waiting[at] = next(parts[at], None)
        journal.commit(read_to_the_end(journal.progress))
    finish(output, journal)
    drop_shards(output)


def _number(waiting: Sequence[tuple[Commit, bytes] | None], at: int) -> int:
    found = waiting[at]
    return found[0].windows if found else 0


@contextmanager
def _windows_of(output: Output) -> Iterator[Iterator[tuple[Commit, bytes]]]:
    """The windows that a shard wrote, each with its commit and the bytes of its rows."""
    journal = go_on(output.journal)
    try:
        if not journal.progress.is_read:
            raise ShiftLensError(f"{output.journal} has not come to its end.", "The same command goes on with it.")
        with output.part.open("rb") as file:
            yield ((commit, file.read(commit.size - file.tell())) for commit in journal.commits() if not commit.is_read)
    finally:
        journal.close()

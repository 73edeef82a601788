"""A run in several processes: each takes its own windows of the corpus, and what they wrote is joined in order.

A shard reads the whole corpus, which is cheap beside scoring, and scores every n-th window. It has rows and a journal
of its own, so that it goes on where it was as any run does. Windows are the same whoever scores them, and so is the
output.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from shiftlens.corpora.journal import Commit, Journal, Plan, Progress, go_on
from shiftlens.corpora.output import Output
from shiftlens.corpora.plan import open_journal
from shiftlens.corpora.reading import CorpusReader
from shiftlens.corpora.runner import Corpus, Status, finish, read_to_the_end
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ShiftLensError
from shiftlens.options.choice import Choice

_NAME = re.compile(r"\.shard-(\d+)-of-(\d+)\.(?:jsonl|parquet)\.(?:part|journal)", re.IGNORECASE)


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
        choice = {**whole.choice, "shard": f"{self.index + 1} of {self.count}", "first window": self.first}
        return msgspec.structs.replace(whole, output=f"{whole.output}, shard {self.index + 1}", choice=choice)


def shards_of(output: Output, journal: Journal, count: int) -> tuple[Shard, ...]:
    """The shards of what is left of a run. Raises ShiftLensError where it was begun with another number of them."""
    for path, others in _left(output):
        if others != count:
            raise ShiftLensError(
                f"{output.path} was begun with {others} workers: {path.name} is there.",
                f"Ask for --workers {others}, or begin anew with --restart.",
            )
    return tuple(Shard(index, count, journal.progress.windows) for index in range(count))


def drop_shards(output: Output) -> None:
    """Remove what shards of an output have left."""
    for path, _ in list(_left(output)):
        path.unlink()


def _left(output: Output) -> Iterator[tuple[Path, int]]:
    """The files of shards of an output, with how many shards there were."""
    for path in output.path.parent.iterdir():
        named = _NAME.fullmatch(path.name.removeprefix(output.path.stem))
        if named and path.name.startswith(output.path.stem):
            yield path, int(named[2])


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


def join_shards(shards: Sequence[Shard], output: Output, journal: Journal) -> None:
    """Put what shards wrote into the output, in the order of the corpus; they are removed then.

    Each of them must have come to its end. May be done again where it was cut short. Raises OSError, ShiftLensError.
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

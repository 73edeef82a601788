"""A corpus on disk, and an engine that scores by rule, for tests that need no model."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, cast

from analysis.hand_made import scored
from shiftlens.corpora.files import corpus_files
from shiftlens.corpora.journal import Progress
from shiftlens.corpora.output import Output
from shiftlens.corpora.plan import open_journal, plan_of
from shiftlens.corpora.reading import CorpusReader
from shiftlens.corpora.runner import Corpus, Status
from shiftlens.corpora.shards import join_shards, score_in_turn, score_shard, shards_of
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Refused, Score, Scored
from shiftlens.options.choice import Choice
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions

CHOICE = Choice(PairSpec(base="b", aligned="a"), ScoreOptions(), ClassifyOptions(), ())


def aligntds(number: int, answer: str = "") -> dict[str, object]:
    """A record as AlignTDS has them."""
    said = answer or f"Answer {number} " + "word " * (number % 7) + "é😀"
    return {"id": number, "pure_input": f"q{number}", "input": f"<s>[INST] q{number} [/INST] ", "output": [said]}


def write_lines(path: Path, records: Sequence[object]) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
    return path


class Engine:
    """Gives each word a rank by its length, and refuses a response that says "refuse". Notes how many it was asked.

    Numbers hang on the place in the request as well, as those of a real engine hang on what is scored beside. With
    `dies_at`, it ends before that job.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self.jobs, self.dies_at = list[Score](), dies_at

    async def run(self, request: Score) -> AsyncGenerator[Any, None]:
        assert not request.remember
        if self.dies_at is not None and len(self.jobs) >= self.dies_at:
            raise Killed
        self.jobs.append(request)
        for index, response in reversed(list(enumerate(request.responses))):
            if "refuse" in response.text:
                yield Refused(job=1, index=index, problem="No.", remedy="Ask another.")
                continue
            pieces = [piece.encode() for piece in re.findall(r"\s?\S+|\s", response.text)]
            ranks = [len(piece) for piece in pieces] + [1]
            kl = [index / 7 + len(piece) for piece in pieces] + [0.0]
            yield Scored(job=1, index=index, scored=scored(pieces, base_ranks=ranks, kl=kl), partial=True)
            yield Scored(job=1, index=index, scored=scored(pieces, base_ranks=ranks, kl=kl))
        yield Done(job=1)


class Killed(BaseException):
    """The end of a process."""


async def run_corpus(
    engine: Engine, paths: Sequence[str], out: Path, *, restart: bool = False, choice: Choice = CHOICE
) -> tuple[Progress, list[Status]]:
    """What the command does, without its arguments."""
    output, said = Output(out), list[Status]()
    files = corpus_files(paths)
    journal = open_journal(output, plan_of(output, files, choice, None, 10_000), restart=restart)
    try:
        reader = CorpusReader(files, None, 10_000)
        corpus = Corpus(cast(EngineClient, engine), reader, choice, output, journal, said.append)
        return await corpus.run(), said
    finally:
        journal.close()


async def in_turn(paths: Sequence[str], out: Path, engine: Engine) -> list[Status]:
    """What the command does where a run on Ray is gone on with without it."""
    output, said = Output(out), list[Status]()
    files = corpus_files(paths)
    plan = plan_of(output, files, CHOICE, None, 10_000)
    journal = open_journal(output, plan)
    try:
        reader, shards = CorpusReader(files, None, 10_000), shards_of(output, journal)
        work = (output, plan, journal, cast(EngineClient, engine), reader, CHOICE, said.append)
        await score_in_turn(shards, *work)
        return said
    finally:
        journal.close()


async def in_shards(paths: Sequence[str], out: Path, count: int, *engines: Engine) -> None:
    """What the command does on Ray, one shard after the other."""
    output = Output(out)
    files = corpus_files(paths)
    plan = plan_of(output, files, CHOICE, None, 10_000)
    journal = open_journal(output, plan)
    try:
        shards = shards_of(output, journal, count)
        for shard, engine in zip(shards, engines, strict=True):
            reader = CorpusReader(files, None, 10_000)
            await score_shard(shard, output, plan, cast(EngineClient, engine), reader, CHOICE, lambda _: None)
        join_shards(shards, output, journal)
    finally:
        journal.close()

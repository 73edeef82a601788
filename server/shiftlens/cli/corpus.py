"""`shiftlens corpus`: score many transcripts as a stream, into one file of rows; a run that was cut short goes on."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.corpus_progress import CorpusProgress
from shiftlens.cli.files import add_engine_argument, engine_and_store, whole_bytes
from shiftlens.cli.one_position import whole_number
from shiftlens.cli.options import (
    add_numbers_arguments,
    add_pair_arguments,
    add_scores_argument,
    check_pair_arguments,
    choose,
    own_template_of,
)
from shiftlens.errors import ShiftLensError
from shiftlens.text.whole_file import why_unwritable

if TYPE_CHECKING:
    from shiftlens.corpora.journal import Journal
    from shiftlens.corpora.output import Output
    from shiftlens.corpora.reading import CorpusReader
    from shiftlens.options.choice import Choice

_DEFAULT_MAX_BYTES = 5_000_000

_EPILOG = """\
Read are JSON and JSONL (also .gz and .zst), Parquet, datasets that Hugging Face's save_to_disk wrote, .eval, and every
other file that `shiftlens analyze` reads. Each response is a row of the output (docs/corpora.md); `shiftlens
corpus-summary` sums it up. What can't be read is named on standard error and in the journal, OUT.journal. A run that
was killed goes on where it was with the same command.
Exit codes: 0 all was scored, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "corpus",
        help="score transcripts by the thousand as a stream, into JSONL or Parquet",
        description="Score many transcripts as a stream, into one file with a row for each response.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, patterns such as 'logs/**/*.jsonl'")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a .jsonl or .parquet file")
    parser.add_argument("--restart", action="store_true", help="begin anew, and write over what is there")
    add_pair_arguments(parser)
    add_numbers_arguments(parser)
    add_scores_argument(parser)
    parser.add_argument("--transcript-format", metavar="NAME", help="read the files as this format, detect nothing")
    parser.add_argument(
        "--max-bytes",
        type=whole_bytes,
        default=_DEFAULT_MAX_BYTES,
        help="of a row, or of a file that is one conversation (default %(default)s)",
    )
    add_engine_argument(parser)
    spread = parser.add_argument_group("several processes")
    spread.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: spread over a Ray cluster, or over this machine where none is found (default %(default)s)",
    )
    spread.add_argument("--workers", type=whole_number(1), metavar="N", default=2, help="actors (default %(default)s)")
    spread.add_argument(
        "--gpus-per-worker", type=_gpus, metavar="N", default=0.0, help="GPUs of each actor (default %(default)s)"
    )
    # The output is what is kept; thousands of scores would push all others off the disk.
    parser.set_defaults(run=functools.partial(run, parser), no_cache=True)


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    from shiftlens.corpora.files import corpus_files
    from shiftlens.corpora.output import FORMATS, Output
    from shiftlens.corpora.plan import open_journal, plan_of
    from shiftlens.corpora.reading import CorpusReader
    from shiftlens.corpora.shards import drop_shards
    from shiftlens.corpora.tables import needs_pyarrow

    check_pair_arguments(parser, args)
    output = Output(Path(args.output))
    if output.path.suffix.lower() not in FORMATS:
        parser.error(f"the output {args.output} has to end in {' or '.join(FORMATS)}")
    if (why := why_unwritable(output.path)) is not None:
        parser.error(why)
    try:
        choice = choose(args, {})
        ours = {path.resolve() for path in (output.path, output.part, output.journal)}
        files = [file for file in corpus_files(args.paths) if file.path.resolve() not in ours]
        if output.is_parquet:
            needs_pyarrow("A Parquet output")
        if args.engine == "ray":
            from shiftlens.corpora.on_ray import needs_ray

            needs_ray()
        reader = CorpusReader(files, args.transcript_format, args.max_bytes, own_template_of(args))
        plan = plan_of(output, files, choice, args.transcript_format, args.max_bytes)
        journal = open_journal(output, plan, restart=args.restart)
        if args.restart:
            drop_shards(output)
    except (ShiftLensError, OSError) as error:
        return _failed([str(error)])
    try:
        return asyncio.run(_run(args, reader, choice, output, journal))
    except ShiftLensError as error:
        return _failed([str(error), f"What is done is kept: the same command goes on from there ({output.journal})."])
    except OSError as error:
        return _failed([f"{args.output} can't be written: {error.strerror or error}", "The same command goes on."])
    finally:
        journal.close()


async def _run(args: argparse.Namespace, reader: CorpusReader, choice: Choice, output: Output, journal: Journal) -> int:
    from shiftlens.corpora.runner import Corpus
    from shiftlens.corpora.shards import drop_shards, score_in_turn, shards_of

    progress = CorpusProgress(sys.stderr, journal, time.monotonic)
    progress.begin()
    if journal.progress.is_end:
        progress.say(f"{output.path} is complete already.")
        # Where the end came between the two.
        output.tidy()
        drop_shards(output)
    elif args.engine == "ray":
        from shiftlens.corpora.on_ray import run_on_ray

        spread = (args.workers, args.gpus_per_worker)
        await run_on_ray(*spread, output, journal.plan, journal, reader, choice, progress.show)
    else:
        shards = shards_of(output, journal)
        async with engine_and_store(args) as (engine, _):
            if shards:
                progress.say(
                    f"It was begun with {len(shards)} workers, whose rows are gone on with one after the other."
                )
                work = (output, journal.plan, journal, engine, reader, choice, progress.show)
                await score_in_turn(shards, *work)
            else:
                await Corpus(engine, reader, choice, output, journal, progress.show).run()
    progress.end(output.path)
    return 0 if journal.progress.is_whole else 1


def _gpus(value: str) -> float:
    """An argparse type: a number of GPUs, which may be a part of one."""
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if 0 <= found <= 64:
        return found
    raise argparse.ArgumentTypeError(f"{value!r} is not a number of GPUs")


def _failed(sentences: Sequence[str]) -> int:
    from shiftlens.text.visible import harmless

    print(f"shiftlens corpus: {harmless(' '.join(sentences))}", file=sys.stderr)
    return 1

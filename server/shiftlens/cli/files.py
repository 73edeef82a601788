"""What the commands that analyse files share: which files, how they are read, and what is told of each."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shiftlens.cli.options import (
    add_numbers_arguments,
    add_pair_arguments,
    check_pair_arguments,
    choose,
    own_template_of,
)
from shiftlens.cli.stages_beside import with_stages
from shiftlens.errors import ModelError, ShiftLensError
from shiftlens.options.pair import FROM_MODELS, PairSpec
from shiftlens.options.settings import SIDECARS

if TYPE_CHECKING:
    from shiftlens.engine.client import EngineClient
    from shiftlens.options.choice import Choice
    from shiftlens.pipeline.analyse import Analysed
    from shiftlens.pipeline.put_aside import PutAside
    from shiftlens.pipeline.sidecars import Decided
    from shiftlens.scores.store import ResultStore
    from shiftlens.transcripts.model import Transcript

STDIN_SHOWN = "<stdin>"
NO_PAIR = PairSpec(base="", aligned="")

_DEFAULT_MAX_BYTES = 5_000_000


def add_file_arguments(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """The files, the pair, what changes the numbers, and how the files are read. See `add_pair_arguments`."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="transcripts; - is standard input")
    add_reading_arguments(parser, several=several)
    if not several:
        parser.add_argument(
            "--sidecars",
            choices=SIDECARS,
            default="auto",
            help="scores in PATH.shiftlens.arrow: where they are of the pair, or the pair can't be loaded (auto, the"
            " default), before the pair's own (always), or not at all (never)",
        )


def add_reading_arguments(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """The pair, what changes the numbers, and how files are read."""
    add_pair_arguments(parser, several=several)
    add_numbers_arguments(parser)
    parser.add_argument("--transcript-format", metavar="NAME", help="read the files as this format, detect nothing")
    parser.add_argument("--max-bytes", type=whole_bytes, default=_DEFAULT_MAX_BYTES, help="default %(default)s")
    parser.add_argument(
        "--no-cache", action="store_true", help="score anew, neither reading nor keeping scores (see `shiftlens cache`)"
    )
    add_engine_argument(parser)


def add_engine_argument(parser: argparse.ArgumentParser) -> None:
    """Whether the engine is shared."""
    parser.add_argument(
        "--private-engine",
        action="store_true",
        help="load the models for this command alone and let go of them at its end, instead of sharing an engine with"
        " editor windows and later commands",
    )


def stdin_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> bytes:
    """Check what was given, and read standard input where a file is named `-`.

    Not in the event loop, which an interrupt does not reach while it waits for a read.
    """
    from shiftlens.transcripts.file_bytes import STDIN, read_stdin

    check_pair_arguments(parser, args)
    return read_stdin(args.max_bytes) if STDIN in args.paths else b""


async def analyse_files(
    args: argparse.Namespace,
    stdin: bytes,
    each: Callable[[str, Analysed | ShiftLensError], None],
    *,
    aside: Callable[[], AbstractContextManager[PutAside | None]] = nullcontext,
) -> bool:
    """Give `each` the name of every file with its analysis, or with why there is none; whether all went well.

    What went wrong is told on standard error as well. With --save, the sidecars of the files are written. `aside` opens
    a place to put the scores of a file aside, until `each` has returned.
    """
    from shiftlens.pipeline.reading import read_with_text
    from shiftlens.transcripts.file_bytes import STDIN

    all_fine = True
    async with analyst(args) as analyse_transcript:
        for name in args.paths:
            shown = STDIN_SHOWN if name == STDIN else name
            try:
                transcript, text = read_with_text(
                    name,
                    stdin,
                    format_name=args.transcript_format,
                    max_bytes=args.max_bytes,
                    own_template=own_template_of(args),
                )
                with aside() as place:
                    found = await analyse_transcript(shown, transcript, place)
                    all_fine &= tell_of_gaps(shown, found)
                    if getattr(args, "save", False):
                        save(shown, text, found)
                    each(shown, found)
            except ShiftLensError as error:
                all_fine = False
                complain(shown, str(error))
                each(shown, error)
    return all_fine


class Analyst(Protocol):
    """Analyses a transcript under the name it is given; see `pipeline.analyse` for `aside`."""

    def __call__(self, shown: str, transcript: Transcript, aside: PutAside | None = None) -> Awaitable[Analysed]: ...


@asynccontextmanager
async def analyst(args: argparse.Namespace) -> AsyncIterator[Analyst]:
    """What analyses a transcript under the name it is given, with the pair, stages and options of the command line.

    One engine serves all. Raises ShiftLensError as `pipeline.analyse` and `choose` do.
    """
    from shiftlens.cli.progress import progress_on
    from shiftlens.pipeline.analyse import analyse

    async with engine_and_store(args) as (engine, store):

        async def analyse_transcript(shown: str, transcript: Transcript, aside: PutAside | None = None) -> Analysed:
            choice, decided = await asyncio.to_thread(_decided, args, shown, transcript)
            with progress_on(sys.stderr, shown) as on_progress:
                found = await analyse(
                    engine, transcript, choice, store=store, on_progress=on_progress, aside=aside, decided=decided
                )
                if getattr(args, "stage", None):
                    found = await with_stages(args, engine, store, found, on_progress, aside)
                return found

        yield analyse_transcript


def _decided(args: argparse.Namespace, shown: str, transcript: Transcript) -> tuple[Choice, Decided | None]:
    """The pair and options for a file, with what the sidecar beside it gives. Raises ModelError."""
    from shiftlens.pipeline.sidecars import NOTHING, Sidecars, decide, why_not_loadable
    from shiftlens.scores.requests import Requests

    # What is said to be scored anew takes nothing from earlier scores.
    use = "never" if args.no_cache else getattr(args, "sidecars", "never")
    beside = NOTHING
    if use != "never" and shown != STDIN_SHOWN:
        beside = Sidecars().beside(Path(shown), Requests(transcript.responses, transcript.format))
    try:
        choice: Choice | None = choose(args, transcript.front_matter)
    except ModelError:
        if not beside.scores:
            if beside.problem:
                complain(shown, beside.problem)
            raise
        choice = None
    if choice is not None and choice.scores != FROM_MODELS:
        return choice, None
    given = choice or choose(args, transcript.front_matter, NO_PAIR)
    pair = None if choice is None else choice.pair
    decided = decide(beside, pair, given.score_options, use=use, why_not_loadable=why_not_loadable)
    if decided.remark:
        complain(shown, decided.remark)
    return dataclasses.replace(given, pair=decided.pair or given.pair, score_options=decided.options), decided


def save(shown: str, text: str, found: Analysed) -> None:
    """Write the sidecar of a file. Raises ShiftLensError."""
    from shiftlens.pipeline.save_sidecar import save_beside

    path, left_out = save_beside(Path(shown), text, found)
    for message in left_out:
        complain(shown, message)
    count = len(found.analysis.responses) - len(left_out)
    complain(shown, f"The scores of {count} {'response' if count == 1 else 'responses'} are saved in {path.name}.")


@asynccontextmanager
async def engine_and_store(args: argparse.Namespace) -> AsyncIterator[tuple[EngineClient, ResultStore | None]]:
    """The engine that the command line asks for, which is left at the end, and the store unless it is turned off."""
    from shiftlens.engine.client import EngineClient, Sharing
    from shiftlens.scores.location import user_store

    engine = EngineClient(sharing=Sharing.OWN if args.private_engine else Sharing.SHARED)
    try:
        yield engine, None if args.no_cache else user_store()
    finally:
        await engine.close()


def tell_of_gaps(file: str, found: Analysed) -> bool:
    """Say what of the file is not in its analysis; whether all is, but what the user left out."""
    from shiftlens.pipeline.unscored import CHOOSE_PARTS

    for line, message in found.analysis.transcript.problems:
        complain(file, f"line {line}: {message}")
    for index, message in found.refused:
        complain(file, f"response {index + 1}: {message}")
    for message in found.problems:
        complain(file, message)
    if found.source:
        complain(file, found.source)
    if found.left_out:
        complain(file, f"{found.left_out} {CHOOSE_PARTS}")
    return not (found.analysis.transcript.problems or found.refused)


def complain(file: str, message: str) -> None:
    """Tell of a file on standard error."""
    from shiftlens.text.visible import harmless, harmless_name

    print(f"{harmless_name(file)}: {harmless(message)}", file=sys.stderr)


def whole_bytes(value: str) -> int:
    """An argparse type: a number of bytes."""
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value!r} is not a number of bytes")

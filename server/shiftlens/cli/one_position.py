"""What the commands about one position of a response share: which file, response and position, and the engine."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_reading_arguments, analyst, complain
from shiftlens.cli.options import check_pair_arguments, choose, own_template_of
from shiftlens.errors import TranscriptError

if TYPE_CHECKING:
    from shiftlens.engine.client import EngineClient
    from shiftlens.engine.protocol import Progress
    from shiftlens.options.choice import Choice
    from shiftlens.scores.requests import ResponseToScore
    from shiftlens.text.lines import LineIndex
    from shiftlens.transcripts.model import Transcript


@dataclass(frozen=True, slots=True)
class Asked:
    """A position of a response of a file, and who answers. `response` counts from 0."""

    shown: str
    choice: Choice
    response: int
    request: ResponseToScore
    position: int
    engine: EngineClient
    on_progress: Callable[[Progress], None] | None


def add_position_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, the response and the position, and all that says how they are read."""
    parser.add_argument("path", metavar="FILE", help="a transcript; - is standard input")
    parser.add_argument(
        "--response", type=whole_number(1), metavar="N", default=1, help="which response, from 1 (default %(default)s)"
    )
    parser.add_argument(
        "--at",
        type=place,
        metavar="POSITION",
        required=True,
        help="a position of the response, from 0 as in the JSON of `analyze`, or LINE:COLUMN of the file, from 1",
    )
    add_reading_arguments(parser)


def read_stdin_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> bytes:
    """Check what was given, and read standard input where it is the file."""
    from shiftlens.transcripts.file_bytes import STDIN, read_stdin

    check_pair_arguments(parser, args)
    return read_stdin(args.max_bytes) if args.path == STDIN else b""


@asynccontextmanager
async def asked_of(args: argparse.Namespace, stdin: bytes) -> AsyncIterator[Asked]:
    """What the command line asks about, with an engine to ask. Raises ShiftLensError."""
    from shiftlens.cli.progress import progress_on
    from shiftlens.engine.client import EngineClient, Sharing
    from shiftlens.pipeline.reading import read_with_text
    from shiftlens.scores.requests import Requests
    from shiftlens.text.lines import LineIndex
    from shiftlens.transcripts.file_bytes import STDIN

    shown = "<stdin>" if args.path == STDIN else args.path
    transcript, text = read_with_text(
        args.path,
        stdin,
        format_name=args.transcript_format,
        max_bytes=args.max_bytes,
        own_template=own_template_of(args),
    )
    count = len(transcript.responses)
    if args.response > count:
        raise TranscriptError(f"There is no response {args.response}: the file has {count}.", "Name one of these.")
    for line, message in transcript.problems:
        complain(shown, f"line {line}: {message}")
    choice = choose(args, transcript.front_matter)
    for message in choice.problems:
        complain(shown, message)
    index = args.response - 1
    position = args.at
    if not isinstance(position, int):
        position = await _position_at(args, shown, transcript, LineIndex(text), position)
    engine = EngineClient(sharing=Sharing.OWN if args.private_engine else Sharing.SHARED)
    try:
        with progress_on(sys.stderr, shown) as on_progress:
            request = Requests(transcript.responses, transcript.format)[index]
            yield Asked(shown, choice, index, request, position, engine, on_progress)
    finally:
        await engine.close()


async def _position_at(
    args: argparse.Namespace, shown: str, transcript: Transcript, lines: LineIndex, where: tuple[int, int]
) -> int:
    """The position of a response that stands at a place of the file. The response is scored, if it has no scores."""
    from shiftlens.analysis.highlights import positions_at

    at = lines.offset(where[0] - 1, where[1] - 1, "utf-32")
    chosen = dataclasses.replace(transcript, responses=(transcript.responses[args.response - 1],))
    async with analyst(args) as analyse_transcript:
        found = await analyse_transcript(shown, chosen)
    rows = positions_at(found.analysis.responses[0], at) if found.analysis.responses else range(0)
    if not rows:
        raise TranscriptError(
            f"Nothing of response {args.response} that is scored stands at {where[0]}:{where[1]}.",
            "Name a line and a column inside of it, or another --response.",
        )
    return rows[0]


def whole_number(least: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` up."""

    def number(value: str) -> int:
        if value.isdecimal() and int(value) >= least:
            return int(value)
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from {least} up")

    return number


def place(value: str) -> int | tuple[int, int]:
    """An argparse type: a position from 0 up, or a line and a column, both from 1."""
    line, colon, column = value.partition(":")
    if not colon and line.isdecimal():
        return int(line)
    if line.isdecimal() and column.isdecimal() and int(line) and int(column):
        return int(line), int(column)
    raise argparse.ArgumentTypeError(f"{value!r} is neither a position from 0 up nor LINE:COLUMN")

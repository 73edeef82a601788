"""`shiftlens analyze`: classify the tokens of files and print what was found."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from shiftlens.cli.options import add_numbers_arguments, add_pair_arguments, check_pair_arguments, choose
from shiftlens.errors import ShiftLensError, TranscriptError

if TYPE_CHECKING:
    from shiftlens.pipeline.analyse import Analysed

_DEFAULT_MAX_BYTES = 5_000_000

_EPILOG = """\
With --format json, one file gives one indented object and several files give one object per line, in the order
they were named; a file that can't be analysed gives {"schema", "file", "error"}.
Exit codes: 0 all was analysed, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "analyze",
        help="show which tokens of the responses in transcripts alignment shifted",
        description="Show which tokens of the responses in transcripts alignment shifted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="transcripts; - is standard input")
    add_pair_arguments(parser)
    add_numbers_arguments(parser)
    parser.add_argument("--transcript-format", metavar="NAME", help="read the files as this format, detect nothing")
    parser.add_argument("--max-bytes", type=_positive, default=_DEFAULT_MAX_BYTES, help="default %(default)s")
    parser.add_argument(
        "--no-cache", action="store_true", help="score anew, neither reading nor keeping scores (see `shiftlens cache`)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    from shiftlens.pipeline.reading import STDIN, read_stdin

    check_pair_arguments(parser, args)
    # Not in the event loop, which an interrupt does not reach while it waits for a read.
    stdin = read_stdin(args.max_bytes) if STDIN in args.paths else b""
    try:
        with _opened(args.output) as out:
            return asyncio.run(_analyze(args, stdin, out))
    except OSError as error:
        if args.output and error.filename == args.output:
            parser.error(f"{args.output} can't be written: {error.strerror}")
        raise


async def _analyze(args: argparse.Namespace, stdin: bytes, out: TextIO) -> int:
    from shiftlens.cli.progress import progress_on
    from shiftlens.engine.client import EngineClient
    from shiftlens.pipeline.analyse import analyse
    from shiftlens.pipeline.reading import read_transcript
    from shiftlens.results.location import user_store

    engine = EngineClient()
    store = None if args.no_cache else user_store()
    all_fine = True
    try:
        for name in args.paths:
            shown = "<stdin>" if name == "-" else name
            try:
                transcript = read_transcript(name, stdin, format_name=args.transcript_format, max_bytes=args.max_bytes)
                choice = choose(args, transcript.front_matter)
                with progress_on(sys.stderr, shown) as on_progress:
                    found = await analyse(engine, transcript, choice, store=store, on_progress=on_progress)
            except ShiftLensError as error:
                all_fine = False
                _complain(shown, str(error))
                if args.format == "json":
                    _write_json(args, out, _error_object(shown, error))
                continue
            all_fine &= _tell_of_gaps(shown, found)
            _write(args, out, shown, found)
    finally:
        await engine.close()
    return 0 if all_fine else 1


def _write(args: argparse.Namespace, out: TextIO, file: str, found: Analysed) -> None:
    if args.format == "json":
        from shiftlens.analysis.contract import to_json

        _write_json(args, out, to_json(found.analysis, file, models=found.models, refused=found.refused))
        return
    from shiftlens.cli.paint import painter, print_analysis

    paint = painter(out, args.color)
    print_analysis(paint, file, found.analysis)
    if len(args.paths) > 1:
        paint.line()


def _write_json(args: argparse.Namespace, out: TextIO, value: dict[str, object]) -> None:
    # Escaped to ASCII: any terminal, pipe and locale can carry it.
    out.write(json.dumps(value, allow_nan=False, indent=1 if len(args.paths) == 1 else None) + "\n")
    out.flush()


def _error_object(file: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.contract import error_json

    line = error.line if isinstance(error, TranscriptError) else None
    message = f"{error.problem} {error.remedy}".strip()
    return error_json(file, kind=type(error).__name__, message=message, line=line)


def _tell_of_gaps(file: str, found: Analysed) -> bool:
    """Say what of the file is not in its analysis; whether all is."""
    for line, message in found.analysis.transcript.problems:
        _complain(file, f"line {line}: {message}")
    for index, message in found.refused:
        _complain(file, f"response {index + 1}: {message}")
    for message in found.problems:
        _complain(file, message)
    return not (found.analysis.transcript.problems or found.refused)


def _complain(file: str, message: str) -> None:
    from shiftlens.visible import harmless

    print(harmless(f"{file}: {message}"), file=sys.stderr)


@contextmanager
def _opened(output: str | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with Path(output).open("w", encoding="utf-8") as file:
        yield file


def _positive(value: str) -> int:
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value!r} is not a number of bytes")

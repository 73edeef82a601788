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

from shiftlens.cli.exports import FORMATS, Write, exporting, why_impossible
from shiftlens.cli.files import add_file_arguments, analyse_files, stdin_of
from shiftlens.cli.gate import Gate, share
from shiftlens.cli.whole_file import why_unwritable
from shiftlens.errors import ShiftLensError, TranscriptError

if TYPE_CHECKING:
    from shiftlens.pipeline.analyse import Analysed

_EPILOG = """\
With --format json, one file gives one indented object and several files give one object per line, in the order
they were named; a file that can't be analysed gives {"schema", "file", "error"}.
csv, tsv and parquet have a row for each position (docs/exports.md describes the columns), latex is a document of
coloured responses. A file named with -o is then written whole or not at all. A cell of CSV or TSV that a spreadsheet
would take for a formula gets an apostrophe before it.
Exit codes: 0 all was analysed, 1 something was not, 2 wrong usage, 3 a response is over --fail-over, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "analyze",
        help="show which tokens of the responses in transcripts alignment shifted",
        description="Show which tokens of the responses in transcripts alignment shifted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser)
    parser.add_argument("--format", choices=("text", "json", *FORMATS), default="text", help="default %(default)s")
    parser.add_argument(
        "--fail-over",
        type=share,
        metavar="SHARE",
        help="end with exit code 3 where the share of shifted positions, among those of a response that have a class,"
        " is over this in any response; 0.10 is a tenth",
    )
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.format in FORMATS and (why := _why_not_exported(args)) is not None:
        parser.error(why)
    stdin = stdin_of(parser, args)
    try:
        if args.format in FORMATS:
            with exporting(args) as export:
                return asyncio.run(_export(args, stdin, export))
        with _opened(args.output) as out:
            return asyncio.run(_analyze(args, stdin, out))
    except OSError as error:
        if args.output and (error.filename == args.output or args.format in FORMATS):
            parser.error(f"{args.output} can't be written: {error.strerror}")
        raise


def _why_not_exported(args: argparse.Namespace) -> str | None:
    """Why nothing can be written, before hours of scoring and not after."""
    if (why := why_impossible(args)) is not None:
        return why
    return None if args.output is None else why_unwritable(Path(args.output))


async def _analyze(args: argparse.Namespace, stdin: bytes, out: TextIO) -> int:
    gate = None if args.fail_over is None else Gate(args.fail_over)

    def write(file: str, found: Analysed | ShiftLensError) -> None:
        if not isinstance(found, ShiftLensError):
            _write(args, out, file, found)
            if gate is not None:
                gate.check(file, found.analysis)
        elif args.format == "json":
            _write_json(args, out, _error_object(file, found))

    code = 0 if await analyse_files(args, stdin, write) else 1
    return code if gate is None else gate.code(code)


async def _export(args: argparse.Namespace, stdin: bytes, export: Write) -> int:
    gate = None if args.fail_over is None else Gate(args.fail_over)

    def write(file: str, found: Analysed | ShiftLensError) -> None:
        if not isinstance(found, ShiftLensError):
            export(file, found.analysis)
            if gate is not None:
                gate.check(file, found.analysis)

    code = 0 if await analyse_files(args, stdin, write) else 1
    return code if gate is None else gate.code(code)


def _write(args: argparse.Namespace, out: TextIO, file: str, found: Analysed) -> None:
    if args.format == "json":
        from shiftlens.analysis.contract import to_json

        _write_json(
            args,
            out,
            to_json(found.analysis, file, models=found.models, refused=found.refused, not_scored=found.not_scored),
        )
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


@contextmanager
def _opened(output: str | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with Path(output).open("w", encoding="utf-8") as file:
        yield file

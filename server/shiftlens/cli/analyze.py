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

from shiftlens.cli.files import add_file_arguments, analyse_files, stdin_of
from shiftlens.errors import ShiftLensError, TranscriptError

if TYPE_CHECKING:
    from shiftlens.pipeline.analyse import Analysed

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
    add_file_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default %(default)s")
    parser.add_argument(
        "--save",
        action="store_true",
        help="write the scores beside each file as well, as PATH.shiftlens.arrow: they are shown where no model is"
        " (docs/sidecars.md)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.save:
        # Before hours of scoring, not after.
        for name in args.paths:
            if (complaint := _why_no_sidecar(name)) is not None:
                parser.error(complaint)
    stdin = stdin_of(parser, args)
    try:
        with _opened(args.output) as out:
            return asyncio.run(_analyze(args, stdin, out))
    except OSError as error:
        if args.output and error.filename == args.output:
            parser.error(f"{args.output} can't be written: {error.strerror}")
        raise


def _why_no_sidecar(name: str) -> str | None:
    from shiftlens.cli.whole_file import why_unwritable
    from shiftlens.scores.sidecar.file import sidecar_path
    from shiftlens.transcripts.file_bytes import STDIN

    if name == STDIN:
        return "--save writes beside a file, and standard input is none"
    # A file that is not there is told when it is read.
    return why_unwritable(sidecar_path(Path(name))) if Path(name).is_file() else None


async def _analyze(args: argparse.Namespace, stdin: bytes, out: TextIO) -> int:
    def write(file: str, found: Analysed | ShiftLensError) -> None:
        if not isinstance(found, ShiftLensError):
            _write(args, out, file, found)
        elif args.format == "json":
            _write_json(args, out, _error_object(file, found))

    return 0 if await analyse_files(args, stdin, write) else 1


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

"""`shiftlens analyze`: classify the tokens of files and print what was found."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from shiftlens.cli.exports import FORMATS, Write, exporting, why_impossible
from shiftlens.cli.files import add_file_arguments, analyse_files, stdin_of
from shiftlens.cli.gate import Gate, share
from shiftlens.cli.options import add_scores_argument
from shiftlens.errors import ShiftLensError
from shiftlens.text.json_pieces import json_pieces
from shiftlens.text.whole_file import why_unwritable, written_whole

if TYPE_CHECKING:
    from shiftlens.pipeline.analyse import Analysed
    from shiftlens.pipeline.put_aside import PutAside

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
    add_scores_argument(parser)
    parser.add_argument("--format", choices=("text", "json", *FORMATS), default="text", help="default %(default)s")
    parser.add_argument(
        "--fail-over",
        type=share,
        metavar="SHARE",
        help="end with exit code 3 where the share of shifted positions, among those of a response that have a class,"
        " is over this in any response; 0.10 is a tenth",
    )
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
    if (why := _why_not_written(args)) is not None:
        parser.error(why)
    stdin = stdin_of(parser, args)
    try:
        if args.format in FORMATS:
            with exporting(args) as export:
                return asyncio.run(_export(args, stdin, export))
        with _opened(args.output) as out:
            return asyncio.run(_analyze(args, stdin, out))
    except OSError as error:
        if args.output is None or isinstance(error, BrokenPipeError):
            raise
        parser.error(f"{args.output} can't be written: {error.strerror}")


def _why_not_written(args: argparse.Namespace) -> str | None:
    """Why nothing can be written, before hours of scoring and not after; None where nothing is in the way."""
    if args.format in FORMATS and (why := why_impossible(args)) is not None:
        return why
    if args.output is None or not (args.format in FORMATS or _is_ordinary(args.output)):
        return None
    return why_unwritable(Path(args.output))


def _why_no_sidecar(name: str) -> str | None:
    from shiftlens.scores.sidecar.file import sidecar_path
    from shiftlens.text.whole_file import why_unwritable
    from shiftlens.transcripts.file_bytes import STDIN

    if name == STDIN:
        return "--save writes beside a file, and standard input is none"
    # A file that is not there is told when it is read.
    return why_unwritable(sidecar_path(Path(name))) if Path(name).is_file() else None


async def _analyze(args: argparse.Namespace, stdin: bytes, out: TextIO) -> int:
    gate = None if args.fail_over is None else Gate(args.fail_over)

    def write(file: str, found: Analysed | ShiftLensError) -> None:
        if not isinstance(found, ShiftLensError):
            _write(args, out, file, found)
            if gate is not None:
                gate.check(file, found.analysis)
        elif args.format == "json":
            _write_json(args, out, _error_object(file, found))

    code = 0 if await analyse_files(args, stdin, write, aside=_aside(args)) else 1
    return code if gate is None else gate.code(code)


async def _export(args: argparse.Namespace, stdin: bytes, export: Write) -> int:
    gate = None if args.fail_over is None else Gate(args.fail_over)

    def write(file: str, found: Analysed | ShiftLensError) -> None:
        if not isinstance(found, ShiftLensError):
            export(file, found.analysis)
            if gate is not None:
                gate.check(file, found.analysis)

    code = 0 if await analyse_files(args, stdin, write, aside=_aside(args)) else 1
    return code if gate is None else gate.code(code)


def _aside(args: argparse.Namespace) -> Callable[[], AbstractContextManager[PutAside | None]]:
    """Where scores are put while a file is worked on: on disk, but for a terminal, which is read as it comes."""
    if args.format == "text":
        return nullcontext
    from shiftlens.pipeline.put_aside import put_aside

    # Numbers are a tenth of what they are as JSON, which is why they go to the disk that takes the output.
    beside = None if args.output is None or not _is_ordinary(args.output) else Path(args.output).resolve().parent
    return functools.partial(put_aside, beside)


def _write(args: argparse.Namespace, out: TextIO, file: str, found: Analysed) -> None:
    if args.format == "json":
        from shiftlens.analysis.contract import to_json

        _write_json(
            args,
            out,
            to_json(
                found.analysis,
                file,
                models=found.models,
                refused=found.refused,
                not_scored=found.not_scored,
                lazily=True,
            ),
        )
        return
    from shiftlens.cli.paint import painter, print_analysis

    paint = painter(out, args.color)
    print_analysis(paint, file, found.analysis)
    if len(args.paths) > 1:
        paint.line()


def _write_json(args: argparse.Namespace, out: TextIO, value: dict[str, object]) -> None:
    # Escaped to ASCII: any terminal, pipe and locale can carry it.
    for piece in json_pieces(value, 1 if len(args.paths) == 1 else None):
        out.write(piece)
    out.write("\n")
    out.flush()


def _error_object(file: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.contract import SCHEMA
    from shiftlens.analysis.json_values import error_json

    return error_json(SCHEMA, file, error)


@contextmanager
def _opened(output: str | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    if not _is_ordinary(output):
        with Path(output).open("w", encoding="utf-8") as file:
            yield file
        return
    with written_whole(Path(output)) as file:
        yield file


def _is_ordinary(output: str) -> bool:
    """Whether the output is, or is to be, a file that another can take the place of; not a pipe or a device."""
    path = Path(output)
    return path.is_file() or path.is_dir() or not path.exists()

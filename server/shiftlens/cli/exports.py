"""What `shiftlens analyze` writes for other programs: tables of positions as CSV, TSV and Parquet, and LaTeX."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from shiftlens.cli.files import complain
from shiftlens.errors import PackageError
from shiftlens.text.whole_file import replacing

if TYPE_CHECKING:
    from shiftlens.analysis.model import Analysis

FORMATS = ("csv", "tsv", "parquet", "latex")

Write = Callable[[str, "Analysis"], None]


def why_impossible(args: argparse.Namespace) -> str | None:
    """Why what was asked for can't be written, to be told before the work; None where nothing is in the way."""
    if args.format != "parquet":
        return None
    from shiftlens.report.arrow import need_pyarrow

    if args.output is None:
        return "--format parquet writes a file: name it with -o"
    try:
        need_pyarrow()
    except PackageError as error:
        return str(error)
    return None


@contextmanager
def exporting(args: argparse.Namespace) -> Iterator[Write]:
    """What writes the analysis of a file, by its name, to where the command line says.

    A file that is named is written whole or not at all, and not where nothing was analysed. Raises OSError.
    """
    if args.output is None:
        # A layer of our own: line ends and characters are those of the format, whatever the terminal's are.
        sys.stdout.flush()
        out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=True)
        try:
            with _writer(args, out, None) as write:
                yield write
        finally:
            out.detach()
        return
    count = 0
    try:
        with replacing(Path(args.output)) as part, _opened(args, part) as write:

            def counted(file: str, analysis: Analysis) -> None:
                nonlocal count
                count += 1
                write(file, analysis)

            yield counted
            if not count:
                raise _NothingError
    except _NothingError:
        print(f"Nothing could be analysed; {args.output} was not written.", file=sys.stderr)


class _NothingError(Exception):
    """There is nothing to write."""


@contextmanager
def _opened(args: argparse.Namespace, part: Path) -> Iterator[Write]:
    if args.format == "parquet":
        with _writer(args, None, part) as write:
            yield write
        return
    with part.open("w", encoding="utf-8", newline="") as out, _writer(args, out, None) as write:
        yield write


@contextmanager
def _writer(args: argparse.Namespace, out: TextIO | None, part: Path | None) -> Iterator[Write]:
    if part is not None:
        with _parquet(args, part) as write:
            yield write
    elif out is not None and args.format == "latex":
        with _latex(out) as write:
            yield write
    elif out is not None:
        with _delimited(args, out, "\t" if args.format == "tsv" else ",") as write:
            yield write


@contextmanager
def _delimited(args: argparse.Namespace, out: TextIO, delimiter: Literal[",", "\t"]) -> Iterator[Write]:
    from shiftlens.analysis.position_table import columns, rows
    from shiftlens.report.delimited import DelimitedWriter

    table = DelimitedWriter(out, columns(args.compat or ""), delimiter)

    def write(file: str, analysis: Analysis) -> None:
        _tell_of_reference(args, file, analysis)
        before = table.neutralised
        table.write(rows(file, analysis, args.compat or ""))
        if table.neutralised > before:
            count = table.neutralised - before
            complain(
                file,
                f"{count:,} cell{'' if count == 1 else 's'} of text would be read as a formula by a spreadsheet"
                " and got an apostrophe before them; the column `bytes` has each token as it is.",
            )

    yield write


@contextmanager
def _parquet(args: argparse.Namespace, part: Path) -> Iterator[Write]:
    from shiftlens import __version__
    from shiftlens.analysis.position_table import SCHEMA, columns, rows
    from shiftlens.report.arrow import ParquetWriter

    about = {"schema": SCHEMA, "generator": f"shiftlens {__version__}"}
    table = ParquetWriter(part, columns(args.compat or ""), about)
    try:

        def write(file: str, analysis: Analysis) -> None:
            _tell_of_reference(args, file, analysis)
            table.write(rows(file, analysis, args.compat or ""))

        yield write
    finally:
        table.close()


@contextmanager
def _latex(out: TextIO) -> Iterator[Write]:
    from shiftlens.report.latex import FOOT, HEAD, latex_of_file

    out.write(HEAD)

    def write(file: str, analysis: Analysis) -> None:
        for piece in latex_of_file(file, analysis):
            out.write(piece)

    yield write
    out.write(FOOT)


def _tell_of_reference(args: argparse.Namespace, file: str, analysis: Analysis) -> None:
    if analysis.score_options.compat and not args.compat:
        complain(
            file,
            "its front matter asks for the numbers of the AlignTDS code, which are not in the table;"
            f" --compat {analysis.score_options.compat} puts them there.",
        )

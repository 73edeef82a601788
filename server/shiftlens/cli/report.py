"""`shiftlens report`: analyses of files as one HTML file that can be kept, sent and printed."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_file_arguments, analyse_files, complain, stdin_of
from shiftlens.cli.options import add_scores_argument
from shiftlens.cli.stages_beside import add_stage_argument, check_stage_arguments
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import DEFAULT_MIN_CHANGE
from shiftlens.text.whole_file import why_unwritable, write_whole

if TYPE_CHECKING:
    from shiftlens.analysis.stages_of_file import FileStages
    from shiftlens.pipeline.analyse import Analysed
    from shiftlens.report.page import ReportedFile

_EPILOG = """\
The file needs no network and no ShiftLens. Beware that it holds the text of the responses and of what was asked.
Exit codes: 0 all was analysed, 1 something was not, 2 wrong usage, 130 interrupted. Where nothing could be analysed,
no file is written.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="write an HTML report on transcripts",
        description="Write what `shiftlens analyze` finds as one HTML file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser)
    add_scores_argument(parser)
    add_stage_argument(parser, "the report")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the HTML file")
    parser.add_argument("--force", action="store_true", help="write over a file that is no such report")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    output = Path(args.output)
    # Before hours of scoring, not after.
    if (complaint := _in_the_way(output, force=args.force)) is not None:
        parser.error(complaint)
    check_stage_arguments(parser, args)
    stdin = stdin_of(parser, args)
    return asyncio.run(_report(args, stdin, output))


async def _report(args: argparse.Namespace, stdin: bytes, output: Path) -> int:
    from shiftlens.report.page import ReportedFile, render

    files: list[ReportedFile] = []
    failed: list[tuple[str, str]] = []
    has_all_stages = True

    def take(name: str, found: Analysed | ShiftLensError) -> None:
        nonlocal has_all_stages
        if isinstance(found, ShiftLensError):
            failed.append((name, str(found)))
            return
        stages, told = _stages_of(found)
        for message in told:
            complain(name, message)
        has_all_stages &= not told
        remarks = (*found.problems, *([found.left_out] if found.left_out else ()), *told)
        files.append(ReportedFile(name, found.analysis, found.models, found.refused, remarks, stages))

    all_fine = await analyse_files(args, stdin, take)
    if not files:
        print("Nothing could be analysed; no report was written.", file=sys.stderr)
        return 1
    try:
        write_whole(output, render(files, failed))
    except OSError as error:
        print(f"shiftlens report: {args.output} can't be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0 if all_fine and has_all_stages else 1


def _stages_of(found: Analysed) -> tuple[FileStages | None, tuple[str, ...]]:
    """A file under the stages, if any were asked for and had, and sentences on what of it is not compared."""
    from shiftlens.analysis.stages_of_file import stages_of_file
    from shiftlens.report.text.stages import gaps_words

    if not found.stages:
        return None, (found.why_no_stages,) if found.why_no_stages else ()
    each, refused = [one.analysis for one in found.stages], [one.refused for one in found.stages]
    stages = stages_of_file(each, refused, DEFAULT_MIN_CHANGE)
    return stages, gaps_words(stages)


def _in_the_way(output: Path, *, force: bool) -> str | None:
    """Why nothing may be written there; None where it may."""
    from shiftlens.report.page import is_report

    if (why := why_unwritable(output)) is not None:
        return why
    if force or not output.exists():
        return None
    try:
        with output.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        return f"{output} is there and can't be read: {error.strerror}"
    return None if is_report(start) else f"{output} is no report of ShiftLens; --force writes over it all the same"

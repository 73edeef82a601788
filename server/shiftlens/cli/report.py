"""`shiftlens report`: analyses of files as one HTML file that can be kept, sent and printed."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_file_arguments, analyse_files, complain, engine_and_store, stdin_of
from shiftlens.cli.options import add_scores_argument, choose
from shiftlens.errors import ModelError, ShiftLensError
from shiftlens.options.pair import BUNDLED_BASE, DEFAULT_MIN_CHANGE, FROM_FILE, FROM_MODELS
from shiftlens.text.whole_file import why_unwritable, write_whole

if TYPE_CHECKING:
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
    parser.add_argument(
        "--stage",
        metavar="NAME",
        action="append",
        default=[],
        help="a tuned model of the same base, once for each stage, in the order of the training: the report has a table"
        " of the tokens that they moved, with rank and probability under each (as `shiftlens stages`)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the HTML file")
    parser.add_argument("--force", action="store_true", help="write over a file that is no such report")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    output = Path(args.output)
    # Before hours of scoring, not after.
    if (complaint := _in_the_way(output, force=args.force)) is not None:
        parser.error(complaint)
    if len(set(args.stage)) < len(args.stage):
        parser.error("--stage names a model twice; each stage is another model")
    if args.stage and args.scores == FROM_FILE:
        parser.error("--stage needs models that are run, which --scores saved has none of")
    stdin = stdin_of(parser, args)
    return asyncio.run(_report(args, stdin, output))


async def _report(args: argparse.Namespace, stdin: bytes, output: Path) -> int:
    from shiftlens.report.page import ReportedFile, render

    files: list[ReportedFile] = []
    failed: list[tuple[str, str]] = []

    def take(name: str, found: Analysed | ShiftLensError) -> None:
        if isinstance(found, ShiftLensError):
            failed.append((name, str(found)))
        else:
            remarks = (*found.problems, *([found.left_out] if found.left_out else ()))
            files.append(ReportedFile(name, found.analysis, found.models, found.refused, remarks))

    all_fine = await analyse_files(args, stdin, take)
    if args.stage and files:
        with_stages = [await _with_stages(args, file) for file in files]
        all_fine &= all(fine for _, fine in with_stages)
        files = [file for file, _ in with_stages]
    if not files:
        print("Nothing could be analysed; no report was written.", file=sys.stderr)
        return 1
    try:
        write_whole(output, render(files, failed))
    except OSError as error:
        print(f"shiftlens report: {args.output} can't be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0 if all_fine else 1


async def _with_stages(args: argparse.Namespace, file: ReportedFile) -> tuple[ReportedFile, bool]:
    """The file with what each stage gives, or with why there is nothing; and whether all could be compared."""
    from shiftlens.analysis.stages_of_file import stages_of_file
    from shiftlens.cli.progress import progress_on
    from shiftlens.pipeline.analyse_several import analyse_several

    transcript, pair = file.analysis.transcript, file.analysis.pair
    try:
        choices = [choose(_of_stage(args, name), transcript.front_matter) for name in args.stage]
        if file.analysis.scores != FROM_MODELS or choices[0].pair.base != pair.base:
            raise ModelError(f"The scores are not those of a pair with {choices[0].pair.base} as its base model.", "")
        async with engine_and_store(args) as (engine, store):
            with progress_on(sys.stderr, file.name) as on_progress:
                each = await analyse_several(engine, transcript, choices, store=store, on_progress=on_progress)
    except ShiftLensError as error:
        message = f"Stages are not compared: {error}"
        complain(file.name, message)
        return dataclasses.replace(file, remarks=(*file.remarks, message)), False
    found = stages_of_file([done.analysis for done in each], [done.refused for done in each], DEFAULT_MIN_CHANGE)
    told = [
        f"Stages are not compared in response {gap.index + 1}, because of"
        f" {', '.join(args.stage[stage] for stage in gap.stages)}: {gap.message}"
        for gap in found.not_compared
    ]
    for message in told:
        complain(file.name, message)
    return dataclasses.replace(file, stages=found, remarks=(*file.remarks, *told)), not told


def _of_stage(args: argparse.Namespace, name: str) -> argparse.Namespace:
    """The command line with this aligned model."""
    base = BUNDLED_BASE if args.bundled else args.base
    return argparse.Namespace(**{**vars(args), "bundled": False, "base": base, "aligned": name})


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

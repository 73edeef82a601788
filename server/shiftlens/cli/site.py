"""`shiftlens site`: analyses of files as a folder of pages, an index and a page for each response."""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_file_arguments, analyse_files, complain, stdin_of
from shiftlens.cli.options import add_scores_argument
from shiftlens.cli.replacing import raising_on_signals, replacing
from shiftlens.cli.stages_beside import add_stage_argument, check_stage_arguments
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import DEFAULT_MIN_CHANGE

if TYPE_CHECKING:
    from shiftlens.pipeline.analyse import Analysed
    from shiftlens.report.site import SiteWriter

_EPILOG = """\
A PATH that is a folder stands for all files in it and below it, but those whose names begin with a dot and sidecars
(docs/sidecars.md); those that are no transcripts are told of. The pages need no network, no server and no ShiftLens:
open FOLDER/index.html. Beware that they hold the text of the responses and of what was asked.
A folder that is there is only replaced where it is empty or such a site, and is replaced whole; what a run that was
killed left beside it goes with the next one.
Exit codes: 0 all was analysed, 1 something was not, 2 wrong usage, 130 interrupted, 143 terminated. Where nothing could
be analysed, nothing is written.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "site",
        help="write a folder of pages on transcripts: an index and a page for each response",
        description="Write what `shiftlens analyze` finds as a folder of pages: an index with a search and figures, and"
        " a page for each response with the distributions of each token.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser)
    add_stage_argument(parser, "each page")
    add_scores_argument(parser)
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="the folder")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    output = Path(args.output)
    # Before hours of scoring, not after.
    if (complaint := _in_the_way(output)) is not None:
        parser.error(f"{args.output} can't be written: {complaint}")
    args.paths = [name for path in args.paths for name in _files(path, output)]
    if not args.paths:
        parser.error("there is no file in what was named")
    check_stage_arguments(parser, args)
    stdin = stdin_of(parser, args)
    try:
        with raising_on_signals(), replacing(output) as folder:
            return asyncio.run(_written(args, stdin, folder))
    except _NothingError:
        print("Nothing could be analysed; no site was written.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"shiftlens site: {args.output} can't be written: {error.strerror}", file=sys.stderr)
        return 1


class _NothingError(Exception):
    """There is nothing to write."""


async def _written(args: argparse.Namespace, stdin: bytes, folder: Path) -> int:
    from shiftlens.pipeline.put_aside import put_aside
    from shiftlens.report.site import SiteWriter
    from shiftlens.report.stages import StagesNamed

    site = SiteWriter(folder, StagesNamed(tuple(args.stage), DEFAULT_MIN_CHANGE) if args.stage else None)
    aside = functools.partial(put_aside, folder.parent)
    has_all_stages = True

    def take(name: str, found: Analysed | ShiftLensError) -> None:
        nonlocal has_all_stages
        has_all_stages &= _take(site, name, found)

    all_fine = await analyse_files(args, stdin, take, aside=aside)
    if not site.pages:
        raise _NothingError
    site.finish()
    return 0 if all_fine and has_all_stages else 1


def _take(site: SiteWriter, name: str, found: Analysed | ShiftLensError) -> bool:
    """Write the pages of a file; whether all stages are compared there."""
    from shiftlens.analysis.stages_of_file import each_compared

    if isinstance(found, ShiftLensError):
        site.add_failed(name, str(found))
        return True
    remarks = (
        *(f"line {line}: {message}" for line, message in found.analysis.transcript.problems),
        *(f"response {index + 1} has no scores: {message}" for index, message in found.refused),
        *found.problems,
        *([found.left_out] if found.left_out else ()),
        *([found.why_no_stages] if found.why_no_stages else ()),
    )
    each, refused = [one.analysis for one in found.stages], [one.refused for one in found.stages]
    compared = each_compared(each, refused, DEFAULT_MIN_CHANGE) if each else ()
    told = site.add(name, found.analysis, found.models, remarks, compared)
    for message in (*told.without_page, *told.not_compared):
        complain(name, message)
    if found.why_no_stages:
        complain(name, found.why_no_stages)
    return not (told.not_compared or found.why_no_stages)


def _files(path: str, output: Path) -> Iterator[str]:
    """A path, or of a folder the files in it, in the order of their names; without those of an earlier site, and
    without sidecars, which are read with the files that they are beside."""
    from shiftlens.scores.sidecar.file import SUFFIX

    if not Path(path).is_dir():
        yield path
        return
    own = output.resolve()
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(folder) / name).resolve() != own
        )
        named = (name for name in sorted(files) if not name.startswith(".") and not name.endswith(SUFFIX))
        yield from (str(Path(folder) / name) for name in named)


def _in_the_way(output: Path) -> str | None:
    """Why no site may be written there; None where it may."""
    from shiftlens.report.site import why_not_ours

    target = output.resolve()
    if not target.parent.is_dir():
        return f"there is no folder {output.parent}"
    if not os.access(target.parent, os.W_OK):
        return "its folder is not yours to write in"
    if not target.exists():
        return None
    if not target.is_dir():
        return "it is no folder"
    try:
        return why_not_ours(target)
    except OSError as error:
        return f"it can't be read: {error.strerror}"

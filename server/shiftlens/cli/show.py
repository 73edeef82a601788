"""`shiftlens show`: a file of conversations as a page of turns, coloured where a pair of models is named."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from pathlib import Path

from shiftlens.cli.files import add_file_arguments, analyst, complain, stdin_of, tell_of_gaps
from shiftlens.cli.options import add_scores_argument, names_models, own_template_of, shows_saved
from shiftlens.errors import ShiftLensError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "show",
        help="show a file of conversations as a page of turns",
        description="Show a file of conversations as a page of turns. With a pair of models, or one named in the file's"
        " front matter, the responses are coloured as `analyze` colours them; without, no model is loaded, and the"
        " scores of a sidecar are shown where there is one.",
    )
    add_file_arguments(parser)
    add_scores_argument(parser)
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    stdin = stdin_of(parser, args)
    return asyncio.run(_show(args, stdin))


async def _show(args: argparse.Namespace, stdin: bytes) -> int:
    from shiftlens.cli.paint import painter
    from shiftlens.page.build import build_page
    from shiftlens.page.sources import sources_in
    from shiftlens.transcripts.file_bytes import STDIN

    paint = painter(sys.stdout, args.color)
    all_fine = True
    own = own_template_of(args)
    async with analyst(args) as analyse_transcript:
        for name in args.paths:
            shown = "<stdin>" if name == STDIN else name
            try:
                page = build_page(sources_in(name, stdin, args.max_bytes, args.transcript_format, own))
                matter = page.transcript.front_matter
                has_scores = shows_saved(args, matter) or names_models(args, matter) or _has_sidecar(args, name)
                if not has_scores or not page.transcript.responses:
                    paint.page(page.text, page.headings, ())
                    continue
                found = await analyse_transcript(shown, page.transcript)
            except ShiftLensError as error:
                all_fine = False
                complain(shown, str(error))
                continue
            all_fine &= tell_of_gaps(shown, found)
            paint.page(page.text, page.headings, found.analysis.responses)
            paint.line()
            responses = found.analysis.responses
            alone = bool(responses) and all(response.is_of_one_model for response in responses)
            paint.legend(alone=alone)
            paint.summary("All responses", found.analysis.summary, alone=alone)
    return 0 if all_fine else 1


def _has_sidecar(args: argparse.Namespace, name: str) -> bool:
    from shiftlens.scores.sidecar.file import sidecar_path

    return args.sidecars != "never" and not args.no_cache and sidecar_path(Path(name)).is_file()

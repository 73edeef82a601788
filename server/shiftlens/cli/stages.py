"""`shiftlens stages`: several tuned models of one base model, and which was the first to move each token."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_file_arguments, complain, engine_and_store, stdin_of
from shiftlens.cli.options import choose, own_template_of
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import DEFAULT_MIN_CHANGE
from shiftlens.text.whole_file import why_unwritable, write_whole

if TYPE_CHECKING:
    from shiftlens.analysis.stages import StagesRow
    from shiftlens.analysis.stages_of_file import FileStages
    from shiftlens.engine.client import EngineClient
    from shiftlens.options.choice import Choice
    from shiftlens.pipeline.analyse import Analysed
    from shiftlens.scores.store import ResultStore
    from shiftlens.transcripts.model import Transcript

_EPILOG = """\
A stage moves a position where, compared with the base model, its first choice is another token, or its probability of
the response's token differs by more than --min-change. The table has the positions that any stage moved, with rank and
probability of the token under each model, and the first stage that moved it.
With --format json, one file gives one indented object and several files give one object per line.
Exit codes: 0 all was compared, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "stages",
        help="compare several tuned models of one base: which was the first to move each token",
        description="Compare several tuned models of one base model (base, SFT, DPO; checkpoints; adapters): which"
        " stage was the first to move each token of the responses in transcripts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser, several=True)
    parser.add_argument(
        "--min-change",
        type=_probability,
        metavar="P",
        default=DEFAULT_MIN_CHANGE,
        help="how much the probability of a token has to differ from the base model's (default %(default)s)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    names = args.aligned or []
    if len(set(names)) < len(names):
        parser.error("--aligned names a model twice; each stage is another model")
    if args.output is not None and (why := why_unwritable(Path(args.output))) is not None:
        parser.error(why)
    stdin = stdin_of(parser, args)
    written: list[str] = []
    all_fine = asyncio.run(_compared(args, stdin, written))
    text = "".join(written)
    if args.output is None:
        sys.stdout.write(text)
    else:
        try:
            write_whole(Path(args.output), text)
        except OSError as error:
            parser.error(f"{args.output} can't be written: {error.strerror}")
    return 0 if all_fine else 1


async def _compared(args: argparse.Namespace, stdin: bytes, written: list[str]) -> bool:
    """Add what is told of each file to `written`; whether all went well."""
    from shiftlens.analysis.stages_of_file import stages_of_file
    from shiftlens.pipeline.reading import read_transcript
    from shiftlens.transcripts.file_bytes import STDIN

    all_fine = True
    stages = [_of_stage(args, name) for name in args.aligned or [None]]
    async with engine_and_store(args) as (engine, store):
        for name in args.paths:
            shown = "<stdin>" if name == STDIN else name
            try:
                transcript = read_transcript(
                    name,
                    stdin,
                    format_name=args.transcript_format,
                    max_bytes=args.max_bytes,
                    own_template=own_template_of(stages[0]),
                )
                choices = [choose(each, transcript.front_matter) for each in stages]
                each = await _analysed(engine, store, shown, transcript, choices)
            except ShiftLensError as error:
                all_fine = False
                complain(shown, str(error))
                if args.format == "json":
                    written.append(_line(args, _error(shown, error)))
                continue
            found = stages_of_file([done.analysis for done in each], [done.refused for done in each], args.min_change)
            all_fine &= _tell_of_gaps(shown, found, each[0])
            written.append(_json(args, shown, found, each[0]) if args.format == "json" else _text(args, shown, found))
    return all_fine


def _of_stage(args: argparse.Namespace, aligned: str | None) -> argparse.Namespace:
    """The command line with one aligned model."""
    return argparse.Namespace(**{**vars(args), "aligned": aligned})


async def _analysed(
    engine: EngineClient, store: ResultStore | None, shown: str, transcript: Transcript, choices: Sequence[Choice]
) -> tuple[Analysed, ...]:
    from shiftlens.cli.progress import progress_on
    from shiftlens.pipeline.analyse_several import analyse_several

    with progress_on(sys.stderr, shown) as on_progress:
        return await analyse_several(engine, transcript, choices, store=store, on_progress=on_progress)


def _tell_of_gaps(shown: str, found: FileStages, first: Analysed) -> bool:
    """Say what of the file is not compared; whether all is, but what the user left out."""
    from shiftlens.pipeline.unscored import CHOOSE_PARTS

    problems = first.analysis.transcript.problems
    for line, message in problems:
        complain(shown, f"line {line}: {message}")
    for each in found.not_compared:
        names = ", ".join(found.analyses[stage].pair.aligned for stage in each.stages)
        complain(shown, f"response {each.index + 1} is not compared, because of {names}: {each.message}")
    for message in first.problems:
        complain(shown, message)
    if first.left_out:
        complain(shown, f"{first.left_out} {CHOOSE_PARTS}")
    return not (problems or found.not_compared)


def _json(args: argparse.Namespace, shown: str, found: FileStages, first: Analysed) -> str:
    from shiftlens.analysis.stages_contract import to_json

    return _line(args, to_json(found, shown, not_scored=first.not_scored))


def _error(shown: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.json_values import error_json
    from shiftlens.analysis.stages_contract import SCHEMA

    return error_json(SCHEMA, shown, error)


def _line(args: argparse.Namespace, value: dict[str, object]) -> str:
    # Escaped to ASCII: any terminal, pipe and locale can carry it.
    return json.dumps(value, allow_nan=False, indent=1 if len(args.paths) == 1 else None) + "\n"


def _text(args: argparse.Namespace, shown: str, found: FileStages) -> str:
    from shiftlens.report.text.stages import moved_words
    from shiftlens.text.visible import harmless, harmless_name

    lines = [harmless_name(shown), f"base: {harmless_name(found.analyses[0].pair.base)}"]
    for number, analysis in enumerate(found.analyses, start=1):
        lines.append(f"stage {number}: {harmless_name(analysis.pair.aligned)}")
    for response in found.responses:
        lines += ["", f"Response {response.analysis.response.index + 1}: {moved_words(response.summary)}"]
        lines += (f"Note: {harmless(note)}" for note in response.notes)
        lines += _table(response.rows, len(found.analyses))
    if len(found.responses) > 1:
        lines += ["", f"All responses: {moved_words(found.summary)}"]
    return "\n".join(lines) + ("\n\n" if len(args.paths) > 1 else "\n")


def _table(rows: Sequence[StagesRow], stages: int) -> Iterator[str]:
    from shiftlens.report.text.columns import columns
    from shiftlens.report.text.stages import moved_head, moved_rows

    moved = moved_rows(rows)
    if moved:
        yield from columns([moved_head(stages), *moved], words=(1,))


def _probability(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if 0 <= found <= 1:
        return found
    raise argparse.ArgumentTypeError(f"{value!r} is not a number from 0 to 1")

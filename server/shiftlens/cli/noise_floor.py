"""`shiftlens noise-floor`: shifts no larger than what another dtype or quantisation makes of the aligned model."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_reading_arguments, complain, engine_and_store, tell_of_gaps
from shiftlens.cli.one_position import read_stdin_of
from shiftlens.cli.options import choose, own_template_of
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import INT8, NOISE_DTYPES

if TYPE_CHECKING:
    from shiftlens.analysis.noise_floor import FileNoise
    from shiftlens.cli.paint import Painter
    from shiftlens.pipeline.analyse import Analysed

_EPILOG = """\
The aligned model is scored against itself in another dtype or quantisation; what that changes is rounding. int8 rounds
the weights of its linear layers (not embeddings and head) to 8 bits, with a scale for each output. The floor is what
95% of the positions don't exceed. Marginal and shifted tokens whose two logprobs, and whose two distributions, differ
by no more are greyed (between ~ without colours): the pair does not tell them from noise. Numbers are in nats.
Exit codes: 0 all was measured, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "noise-floor",
        help="grey the shifts that are no larger than what another dtype or quantisation makes of the aligned model",
        description="Measure how far the aligned model's numbers move in another dtype or quantisation, and grey the"
        " tokens whose shift is no larger.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="FILE", help="a transcript; - is standard input")
    parser.add_argument(
        "--against",
        type=_against,
        metavar="|".join((*NOISE_DTYPES, INT8, "FILE.gguf")),
        default="",
        help="the other dtype (default bfloat16; float32 where the models run in another), int8 for rounded weights, or"
        " a GGUF file of the aligned model",
    )
    add_reading_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def _against(value: str) -> str:
    from shiftlens.pipeline.noise_floor import why_not_against

    why_not = why_not_against(value)
    if why_not:
        raise argparse.ArgumentTypeError(why_not)
    return value


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    stdin = read_stdin_of(parser, args)
    shown = "<stdin>" if args.path == "-" else args.path
    try:
        return asyncio.run(_measured(args, stdin, shown))
    except ShiftLensError as error:
        complain(shown, str(error))
        if args.format == "json":
            print(json.dumps(_error(shown, error), indent=1))
        return 1


async def _measured(args: argparse.Namespace, stdin: bytes, shown: str) -> int:
    from shiftlens.analysis.noise_floor_contract import to_json
    from shiftlens.cli.paint import painter
    from shiftlens.cli.progress import progress_on
    from shiftlens.pipeline.noise_floor import noise_floor
    from shiftlens.pipeline.reading import read_transcript

    transcript = read_transcript(
        args.path,
        stdin,
        format_name=args.transcript_format,
        max_bytes=args.max_bytes,
        own_template=own_template_of(args),
    )
    choice = choose(args, transcript.front_matter)
    async with engine_and_store(args) as (engine, store):
        with progress_on(sys.stderr, shown) as on_progress:
            real, found = await noise_floor(
                engine, transcript, choice, args.against, store=store, on_progress=on_progress
            )
    all_fine = tell_of_gaps(shown, real)
    told = {index for index, _ in real.refused}
    for index, message in found.not_measured:
        if index not in told:
            complain(shown, f"response {index + 1} is not measured: {message}")
    if args.format == "json":
        value = to_json(found, real.analysis, shown, not_scored=real.not_scored)
        print(json.dumps(value, allow_nan=False, indent=1))
    else:
        _print(painter(sys.stdout, args.color, greyed=True), shown, real, found)
    return 0 if all_fine and not found.not_measured else 1


def _print(paint: Painter, shown: str, real: Analysed, found: FileNoise) -> None:
    from shiftlens.analysis.model import ShiftClass
    from shiftlens.analysis.noise_floor import as_what, without_noise
    from shiftlens.analysis.words import positions_words
    from shiftlens.report.text.noise_floor import beyond_words, floor_words, greyed_table
    from shiftlens.text.visible import harmless, harmless_name

    pair = real.analysis.pair
    paint.title(harmless_name(shown))
    paint.line(harmless_name(f"base {pair.base}, aligned {pair.aligned}"))
    own, other = found.dtypes
    paint.line(harmless_name(f"Noise is what the aligned model moves by {as_what(other)}, from {own}"))
    paint.line(floor_words(found))
    paint.legend()
    unknown = found.of_class(ShiftClass.UNKNOWN).positions
    without = f"; so are the {positions_words(unknown)} without a class" if unknown else ""
    paint.line(f"Greyed, or between ~: within the noise floor{without}")
    for response in found.responses:
        paint.line()
        paint.title(f"Response {response.analysis.response.index + 1}")
        paint.response(without_noise(response))
        table = [line.text for line in greyed_table(response.positions)]
        for line in [*([""] if table else []), *table]:
            paint.line(line)
        for note in response.notes:
            paint.line(f"Note: {harmless(note)}")
    paint.line()
    paint.line(beyond_words(found))


def _error(shown: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.json_values import error_json
    from shiftlens.analysis.noise_floor_contract import SCHEMA

    return error_json(SCHEMA, shown, error)

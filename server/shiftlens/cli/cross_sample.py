"""`shiftlens cross-sample`: did a shifted token matter? Swap it for the other model's choice, and go on."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from shiftlens.cli.continue_from import add_sampling_arguments
from shiftlens.cli.cross_sample_table import TablePrinter
from shiftlens.cli.files import add_reading_arguments, complain, engine_and_store, tell_of_gaps
from shiftlens.cli.one_position import place, read_stdin_of, whole_number
from shiftlens.cli.options import choose, own_template_of
from shiftlens.errors import ShiftLensError, TranscriptError

if TYPE_CHECKING:
    from shiftlens.analysis.cross_sampling import CrossSampled, SwappedTogether, SwapPosition
    from shiftlens.analysis.model import Analysis
    from shiftlens.engine.client import EngineClient
    from shiftlens.engine.protocol import Progress
    from shiftlens.pipeline.cross_sample import CrossSampling

_EPILOG = """\
At a position the base model's first choice is put in place of the response's token, and the aligned model goes on
behind it ("swapped"); behind the response's own token it goes on as well ("kept"), which tells how far it strays by
itself. The reverse: the base model goes on behind the aligned model's choice ("reverse"), and behind its own ("base").
Numbers are edit distances to what the response says behind the position, from 0 (the same) to 1 (nothing in common):
the mean over the samples, the least and the greatest. Effect is the mean of swapped less that of kept.
With --together the whole answer is written anew by each model, and its M most shifted tokens, those with the greatest
base ranks, are the other one's choice; "kept" and "base" are each model's answer by itself, which tells how great the M
greatest ranks are: the other one's choice stands where the rank is as great, up to M times.
The same seeds give the same table. docs/cross-sampling.md says more.
Exit codes: 0 done, 1 something could not be done, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "cross-sample",
        help="test whether a shifted token mattered: swap it for the base's choice, go on, and compare",
        description="Test whether a shifted token mattered: put the base model's choice in its place, let the models go"
        " on, and say how far that leads from the response.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="FILE", help="a transcript; - is standard input")
    parser.add_argument(
        "--response", type=whole_number(1), metavar="N", help="look at this response alone, from 1 (default: all)"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--at",
        type=place,
        metavar="POSITION",
        help="a position of the response, from 0 as in the JSON of `analyze`, or LINE:COLUMN of the file, from 1",
    )
    where.add_argument(
        "--most",
        type=whole_number(1),
        metavar="M",
        help="the M most shifted positions, each by itself: those with the greatest base ranks",
    )
    parser.add_argument(
        "--together",
        action="store_true",
        help="with --most: write the answer anew, and swap its M most shifted tokens in one go",
    )
    add_reading_arguments(parser)
    add_sampling_arguments(parser, samples=4)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.together and args.most is None:
        parser.error("--together swaps up to M tokens; name M with --most M")
    stdin = read_stdin_of(parser, args)
    shown = "<stdin>" if args.path == "-" else args.path
    try:
        return asyncio.run(_cross_sample(args, stdin, shown))
    except ShiftLensError as error:
        complain(shown, str(error))
        if args.format == "json":
            print(json.dumps(_error(shown, error), indent=1))
        return 1


async def _cross_sample(args: argparse.Namespace, stdin: bytes, shown: str) -> int:
    from shiftlens.cli.progress import progress_on
    from shiftlens.engine.protocol import Progress
    from shiftlens.pipeline.analyse import analyse
    from shiftlens.pipeline.cross_sample import CrossSampling, NotSampled, cross_sample, positions_asked
    from shiftlens.pipeline.reading import read_with_text
    from shiftlens.scores.continuations import Sampling
    from shiftlens.text.lines import LineIndex

    asked = CrossSampling(
        samples=args.samples,
        seed=args.seed,
        sampling=Sampling(temperature=args.temperature, top_p=args.top_p, max_tokens=args.max_tokens),
    )
    asked.check()
    transcript, text = read_with_text(
        args.path,
        stdin,
        format_name=args.transcript_format,
        max_bytes=args.max_bytes,
        own_template=own_template_of(args),
    )
    count = len(transcript.responses)
    if args.response is not None:
        if args.response > count:
            raise TranscriptError(f"There is no response {args.response}: the file has {count}.", "Name one of these.")
        transcript = dataclasses.replace(transcript, responses=(transcript.responses[args.response - 1],))
    choice = choose(args, transcript.front_matter)
    async with engine_and_store(args) as (engine, store):
        with progress_on(sys.stderr, shown) as on_progress:
            found = await analyse(engine, transcript, choice, store=store, on_progress=on_progress)
            all_fine = tell_of_gaps(shown, found)
            analysis = found.analysis
            if args.together:
                await _together(args, shown, engine, analysis, asked, on_progress)
                return 0 if all_fine else 1
            positions = positions_asked(analysis, LineIndex(text), at=args.at, most=args.most)
            printer = TablePrinter(print, shown, analysis, asked) if args.format == "text" else None
            done: list[CrossSampled] = []
            refused: list[tuple[SwapPosition, str]] = []
            async with aclosing(cross_sample(engine, analysis, positions, asked)) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        if on_progress is not None:
                            on_progress(event)
                    elif isinstance(event, NotSampled):
                        refused.append((event.position, event.message))
                        complain(shown, f"response {event.position.response + 1}: {event.message}")
                    else:
                        done.append(event)
                        if printer is not None:
                            printer.row(event)
    if printer is None:
        _print_json(analysis, shown, done, refused, asked)
    elif not positions:
        print("No shifted position has another choice of the base model's to be swapped in.")
    return 0 if all_fine and not refused else 1


async def _together(
    args: argparse.Namespace,
    shown: str,
    engine: EngineClient,
    analysis: Analysis,
    asked: CrossSampling,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Swap tokens of each response in one go, and print what comes of it. Raises ShiftLensError."""
    from shiftlens.engine.protocol import Progress
    from shiftlens.pipeline.swap_together import swap_together
    from shiftlens.report.text.cross_sampling import how_words, together_lines, together_words
    from shiftlens.text.visible import harmless_name

    is_text = args.format == "text"
    if is_text:
        pair = analysis.pair
        print(harmless_name(shown))
        print(f"base {harmless_name(pair.base)}, aligned {harmless_name(pair.aligned)}")
        print(f"{together_words(args.most)}; {how_words(asked, 'from its beginning')}")
    done: list[SwappedTogether] = []
    async with aclosing(swap_together(engine, analysis, args.most, asked)) as events:
        async for event in events:
            if isinstance(event, Progress):
                if on_progress is not None:
                    on_progress(event)
                continue
            done.append(event)
            if is_text:
                print()
                print("\n".join(line.text for line in together_lines(event)))
    if not is_text:
        _print_json(analysis, shown, (), (), asked, together=done, most=args.most)


def _print_json(
    analysis: Analysis,
    shown: str,
    done: Sequence[CrossSampled],
    refused: Sequence[tuple[SwapPosition, str]],
    asked: CrossSampling,
    *,
    together: Sequence[SwappedTogether] | None = None,
    most: int | None = None,
) -> None:
    from shiftlens.analysis.cross_sampling_contract import to_json

    value = to_json(
        analysis,
        shown,
        done,
        samples=asked.samples,
        seed=asked.seed,
        sampling=asked.sampling,
        not_sampled=refused,
        together=together,
        most=most,
    )
    print(json.dumps(value, allow_nan=False, indent=1))


def _error(shown: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.cross_sampling_contract import SCHEMA
    from shiftlens.analysis.json_values import error_json

    return error_json(SCHEMA, shown, error)

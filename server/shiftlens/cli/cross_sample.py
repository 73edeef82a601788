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
from shiftlens.cli.files import add_reading_arguments, complain, engine_and_store, tell_of_gaps
from shiftlens.cli.one_position import place, read_stdin_of, whole_number
from shiftlens.cli.options import choose, own_template_of
from shiftlens.errors import ShiftLensError, TranscriptError

if TYPE_CHECKING:
    from shiftlens.analysis.cross_sampling import CrossSampled, Spread, SwapPosition
    from shiftlens.analysis.model import Analysis
    from shiftlens.pipeline.cross_sample import CrossSampling
    from shiftlens.text.lines import LineIndex

_LONGEST_TOKEN = 16
_COLUMNS = (
    ("response", 8),
    ("position", 8),
    ("token", -_LONGEST_TOKEN),
    ("base's choice", -_LONGEST_TOKEN),
    ("base", 8),
    ("aligned", 8),
    ("swapped", 16),
    ("kept", 16),
    ("effect", 6),
    ("reverse", 16),
    ("base goes on", 16),
    ("same after the swap", -24),
)
"""Each column and its width; those with a negative one stand to the left."""

_EPILOG = """\
At a position the base model's first choice is put in place of the response's token, and the aligned model goes on
behind it ("swapped"); behind the response's own token it goes on as well ("kept"), which tells how far it strays by
itself. The reverse: the base model goes on behind the aligned model's choice ("reverse"), and behind its own ("base").
Numbers are edit distances to what the response says behind the position, from 0 (the same) to 1 (nothing in common):
the mean over the samples, the least and the greatest. Effect is the mean of swapped less that of kept.
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
    add_reading_arguments(parser)
    add_sampling_arguments(parser, samples=4)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
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
    from shiftlens.pipeline.cross_sample import CrossSampling, NotSampled, cross_sample
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
            positions = _positions(args, analysis, LineIndex(text))
            printer = _Printer(print, shown, analysis, asked) if args.format == "text" else None
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


def _positions(args: argparse.Namespace, analysis: Analysis, lines: LineIndex) -> Sequence[SwapPosition]:
    """The positions that are asked for. Raises TranscriptError where there is none, or not enough is known of it."""
    from shiftlens.analysis.cross_sampling import most_shifted, swap_position
    from shiftlens.analysis.highlights import positions_at

    if args.most is not None:
        return most_shifted(analysis, args.most)
    if not analysis.responses:
        raise TranscriptError("No response of the file has scores.", "See what is said of it above.")
    at, chosen, row = args.at, analysis.responses[0], args.at
    if not isinstance(at, int):
        offset = lines.offset(at[0] - 1, at[1] - 1, "utf-32")
        touched = [(found, positions_at(found, offset)) for found in analysis.responses]
        chosen, rows = next(((found, rows) for found, rows in touched if rows), (chosen, range(0)))
        if not rows:
            raise TranscriptError(
                f"Nothing that is scored stands at {at[0]}:{at[1]}.", "Name a line and a column inside of a response."
            )
        row = rows[0]
    elif row >= chosen.scored.rows:
        raise TranscriptError(
            f"Response {chosen.response.index + 1} has no position {row}: it has {chosen.scored.rows}, counted from 0.",
            "Name one of these, or another --response.",
        )
    position = swap_position(chosen, row)
    if position is None:
        raise TranscriptError(
            f"What the base model would have said at position {row} is not known: it is inside of a group of tokens"
            " that the two models cut in other ways.",
            "Name the first position of the group.",
        )
    return (position,)


class _Printer:
    """Prints a table row by row, as its positions are done."""

    def __init__(
        self, write: Callable[[str], None], shown: str, analysis: Analysis, asked: CrossSampling
    ) -> None:  # fmt: skip
        self._write, self._analysis = write, analysis
        self._shown, self._asked = shown, asked
        self._notes: set[str] = set()
        self._has_begun = False

    def row(self, found: CrossSampled) -> None:
        """Print a position, below the head of the table where it is the first."""
        from shiftlens.text.visible import harmless, visible_piece

        if not self._has_begun:
            self._has_begun = True
            self._head()
        for note in found.notes:
            if note not in self._notes:
                self._notes.add(note)
                self._write(harmless(f"note: {note}"))
        position = found.position

        def shown(piece: bytes, *, ends: bool) -> str:
            return "(end)" if ends else visible_piece(piece, limit=_LONGEST_TOKEN)

        self._line(
            (
                str(position.response + 1),
                str(position.row),
                shown(position.said.piece, ends=position.said.ends),
                shown(position.base.piece, ends=position.base.ends),
                _probability(position.base_prob),
                _probability(position.aligned_prob),
                *(_distances(found, name) for name in ("swapped", "kept")),
                f"{found.effect:+.2f}",
                *(_distances(found, name) for name in ("reverse", "base")),
                _same(found),
            )
        )

    def _head(self) -> None:
        from shiftlens.text.visible import harmless_name

        pair, asked = self._analysis.pair, self._asked
        self._write(harmless_name(self._shown))
        self._write(f"base {harmless_name(pair.base)}, aligned {harmless_name(pair.aligned)}")
        self._write(_how(asked))
        self._write("")
        self._line([name for name, _ in _COLUMNS])

    def _line(self, cells: Sequence[str]) -> None:
        from rich.cells import cell_len

        padded = []
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True):
            space = " " * max(0, abs(width) - cell_len(cell))
            padded.append(cell + space if width < 0 else space + cell)
        self._write("  ".join(padded).rstrip())


def _how(asked: CrossSampling) -> str:
    """How the continuations are drawn, in a sentence."""
    sampling = asked.sampling
    behind = f"{sampling.max_tokens} tokens behind the position"
    if not asked.samples:
        return f"edit distance to the response over {behind}; greedy"
    seeds = f"seed {asked.seed}" if asked.samples == 1 else f"seeds {asked.seed} to {asked.seed + asked.samples - 1}"
    top_p = "" if sampling.top_p == 1.0 else f", top-p {sampling.top_p:g}"
    return f"edit distance to the response over {behind}; {seeds}, temperature {sampling.temperature:g}{top_p}"


def _distances(found: CrossSampled, name: str) -> str:
    from shiftlens.analysis.cross_sampling import distance

    arm = found.arm(name)
    return "-" if arm is None else _spread(arm.spread(distance))


def _spread(spread: Spread) -> str:
    if spread.count < 2:
        return f"{spread.mean:.2f}"
    return f"{spread.mean:.2f} ({spread.least:.2f}-{spread.most:.2f})"


def _same(found: CrossSampled) -> str:
    """Where the greedy continuation behind the swapped token parts from the response."""
    arm = found.arm("swapped")
    if arm is None:
        return "-"
    parting = arm.greedy.parting
    if not parting.parts:
        return "all"
    return f"{parting.same_tokens} tokens, {parting.same_characters} characters"


def _probability(value: float) -> str:
    from shiftlens.analysis.facts import probability

    return probability(value)


def _print_json(
    analysis: Analysis,
    shown: str,
    done: Sequence[CrossSampled],
    refused: Sequence[tuple[SwapPosition, str]],
    asked: CrossSampling,
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
    )
    print(json.dumps(value, allow_nan=False, indent=1))


def _error(shown: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.cross_sampling_contract import SCHEMA
    from shiftlens.analysis.json_values import error_json

    return error_json(SCHEMA, shown, error)

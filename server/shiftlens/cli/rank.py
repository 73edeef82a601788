"""`shiftlens rank`: how likely any text is at a position of a response, under each model."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shiftlens.cli.files import complain
from shiftlens.cli.one_position import add_position_arguments, asked_of, read_stdin_of
from shiftlens.errors import ShiftLensError

if TYPE_CHECKING:
    from shiftlens.cli.one_position import Asked
    from shiftlens.scores.continuations import RankedText, RankedToken

Json = dict[str, object]

SCHEMA = "shiftlens-rank/1"

_EPILOG = """\
The text stands in place of what the response says from the position on; each of its tokens is scored after those
before it. Spaces count: a word mostly begins with one.
Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "rank",
        help="show rank and probability of any text at a position, under each model",
        description="Show rank and probability of any text at a position of a response, under each model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_position_arguments(parser)
    parser.add_argument("text", metavar="TEXT", help="the text to score there")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    stdin = read_stdin_of(parser, args)
    try:
        asyncio.run(_rank(args, stdin))
    except ShiftLensError as error:
        complain("<stdin>" if args.path == "-" else args.path, str(error))
        return 1
    return 0


async def _rank(args: argparse.Namespace, stdin: bytes) -> None:
    from shiftlens.engine.protocol import Rank

    async with asked_of(args, stdin) as asked:
        request = Rank(
            pair=asked.choice.pair,
            options=asked.choice.score_options,
            response=asked.request,
            position=asked.position,
            text=args.text,
        )
        answer = await asked.engine.rank(request, on_progress=asked.on_progress)
    if args.format == "json":
        print(json.dumps(_json(asked, args.text, answer.ranked), allow_nan=False, indent=1))
    else:
        print("\n".join(_lines(asked, answer.ranked)))


def _lines(asked: Asked, ranked: RankedText) -> list[str]:
    from shiftlens.text.visible import harmless

    pair = asked.choice.pair
    lines = [f"response {asked.response + 1}, position {ranked.position} (from 0)"]
    lines += [harmless(f"note: {note}") for note in ranked.notes]
    for title, name, tokens in (("base", pair.base, ranked.base), ("aligned", pair.aligned, ranked.aligned)):
        lines += ["", harmless(f"{title} {name}: probability {_percent(_together(tokens))} of the whole text")]
        lines += [f"  {_row(token)}" for token in tokens]
    return lines


def _row(token: RankedToken) -> str:
    from shiftlens.text.visible import visible_piece

    shown = visible_piece(token.piece) or "(no text)"
    return f"rank {token.rank:>6,}  probability {_percent(token.logprob):>10}  logprob {token.logprob:>9.3f}  {shown}"


def _together(tokens: Sequence[RankedToken]) -> float:
    return math.fsum(token.logprob for token in tokens)


def _percent(logprob: float) -> str:
    return f"{100 * math.exp(logprob):.3g} %"


def _json(asked: Asked, text: str, ranked: RankedText) -> Json:
    from shiftlens.analysis.json_values import finite, piece_json

    pair = asked.choice.pair
    return {
        "schema": SCHEMA,
        "file": asked.shown,
        "models": {"base": pair.base, "aligned": pair.aligned},
        "response": asked.response,
        "position": ranked.position,
        "text": text,
        "notes": list(ranked.notes),
        **{
            side: {
                "logprob": finite(_together(tokens)),
                "tokens": [
                    {"id": t.id, **piece_json(t.piece), "rank": t.rank, "logprob": finite(t.logprob)} for t in tokens
                ],
            }
            for side, tokens in (("base", ranked.base), ("aligned", ranked.aligned))
        },
    }

"""`shiftlens diff-vocabulary`: which tokens alignment promotes and suppresses in the contexts of files."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.files import Analyst, add_file_arguments, analyst, complain, stdin_of, tell_of_gaps
from shiftlens.cli.one_position import whole_number
from shiftlens.cli.options import own_template_of
from shiftlens.errors import ShiftLensError
from shiftlens.text.whole_file import why_unwritable, write_whole

if TYPE_CHECKING:
    from shiftlens.analysis.vocabulary import Place, TokenShift, VocabularyShift, VocabularyTally
    from shiftlens.options.pair import PairSpec
    from shiftlens.text.lines import LineIndex

Json = dict[str, object]

SCHEMA = "shiftlens-vocabulary/1"

_EPILOG = """\
At each position a token's change is its probability under the aligned model less that under the base model, over all
candidates of both (--top-k of each), said or not. Of one that is not among a model's candidates, the least change
that this allows is counted. The sum over all positions is how many more of it are expected of the aligned model.
Exit codes: 0 all was analysed, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "diff-vocabulary",
        help="list the tokens that alignment promotes and suppresses most in transcripts",
        description="List the tokens that alignment promotes and suppresses most at the positions of transcripts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.add_argument(
        "--limit", type=whole_number(1), metavar="N", default=20, help="tokens of each list (default %(default)s)"
    )
    parser.add_argument(
        "--places", type=whole_number(1), metavar="N", default=3, help="places of each token (default %(default)s)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.output is not None and (why := why_unwritable(Path(args.output))) is not None:
        parser.error(why)
    stdin = stdin_of(parser, args)
    found, all_fine = asyncio.run(_analysed(args, stdin))
    if found.pair is None:
        print("Nothing could be analysed.", file=sys.stderr)
        return 1
    text = _json(found, args) if args.format == "json" else _text(found, args)
    if args.output is None:
        sys.stdout.write(text)
        return 0 if all_fine else 1
    try:
        write_whole(Path(args.output), text)
    except OSError as error:
        parser.error(f"{args.output} can't be written: {error.strerror}")
    return 0 if all_fine else 1


@dataclass(slots=True)
class _Found:
    """What came of all files of one pair, and the lines of each file."""

    shift: VocabularyShift
    pair: PairSpec | None = None
    lines: dict[str, LineIndex] = field(default_factory=dict)


async def _analysed(args: argparse.Namespace, stdin: bytes) -> tuple[_Found, bool]:
    from shiftlens.analysis.vocabulary import VocabularyTally

    tally, all_fine = VocabularyTally(args.places), True
    found = _Found(tally.shift())
    async with analyst(args) as analyse_transcript:
        for name in args.paths:
            # What is tallied is let go of file by file: the analyses of a corpus would not fit into memory.
            all_fine &= await _add_file(args, stdin, name, analyse_transcript, found, tally)
    found.shift = tally.shift()
    return found, all_fine


async def _add_file(
    args: argparse.Namespace, stdin: bytes, name: str, analyse: Analyst, found: _Found, tally: VocabularyTally
) -> bool:
    """Whether all of the file was analysed and is in the tally now."""
    from shiftlens.pipeline.reading import read_with_text
    from shiftlens.text.lines import LineIndex
    from shiftlens.transcripts.file_bytes import STDIN

    shown = "<stdin>" if name == STDIN else name
    try:
        transcript, text = read_with_text(
            name,
            stdin,
            format_name=args.transcript_format,
            max_bytes=args.max_bytes,
            own_template=own_template_of(args),
        )
        done = await analyse(shown, transcript)
    except ShiftLensError as error:
        complain(shown, str(error))
        return False
    pair = done.analysis.pair
    if found.pair is not None and (pair.base, pair.aligned) != (found.pair.base, found.pair.aligned):
        complain(shown, f"left out, since its pair ({pair.base}, {pair.aligned}) is not that of the files before.")
        return False
    found.pair = pair
    found.lines[shown] = LineIndex(text)
    for response in done.analysis.responses:
        tally.add(shown, response)
    return tell_of_gaps(shown, done)


def _text(found: _Found, args: argparse.Namespace) -> str:
    from shiftlens.analysis.words import positions_words
    from shiftlens.text.visible import harmless_name

    shift = found.shift
    pair = found.pair
    lines = [
        f"base {pair.base}, aligned {pair.aligned}" if pair else "",
        f"{positions_words(shift.positions)} compared",
    ]
    if shift.left_out:
        lines[-1] += f"; {shift.left_out} left out, for which not both models have candidates"
    for title, listed, promoted in (
        ("Promoted", shift.promoted(args.limit), True),
        ("Suppressed", shift.suppressed(args.limit), False),
    ):
        lines += ["", f"{title} most:"]
        lines += _rows(found, listed, promoted=promoted) or ["  none"]
    return "\n".join(harmless_name(line) for line in lines) + "\n"


def _rows(found: _Found, listed: Sequence[TokenShift], *, promoted: bool) -> list[str]:
    lines = []
    for token in listed:
        at = f"promoted at {token.promoted_at}, suppressed at {token.suppressed_at}, said at {token.said}"
        lines.append(f"  {token.change:+.3f}  {_name(token)}  ({at})")
        for place in token.promotions if promoted else token.suppressions:
            said = ", said" if place.said else ""
            sides = f"base {_probability(place.base)}, aligned {_probability(place.aligned)}"
            lines.append(f"      {_where(found, place)}: {sides}{said}")
    return lines


def _name(token: TokenShift) -> str:
    from shiftlens.analysis.facts import LONGEST_TOKEN
    from shiftlens.text.visible import visible_piece

    return "end of the response" if token.is_end else visible_piece(token.piece, limit=LONGEST_TOKEN) or "(no text)"


def _probability(value: float | None) -> str:
    from shiftlens.analysis.facts import probability

    return "not among its candidates" if value is None else probability(value)


def _where(found: _Found, place: Place) -> str:
    """The place as terminals and editors take it: file, line and column from 1."""
    line, column = found.lines[place.file].position(place.start, "utf-32")
    return f"{place.file}:{line + 1}:{column + 1}"


def _json(found: _Found, args: argparse.Namespace) -> str:
    shift = found.shift
    pair = found.pair
    value: Json = {
        "schema": SCHEMA,
        "models": {"base": pair.base, "aligned": pair.aligned} if pair else None,
        "files": list(found.lines),
        "positions": shift.positions,
        "left_out": shift.left_out,
        "promoted": [_token_json(found, token) for token in shift.promoted(args.limit)],
        "suppressed": [_token_json(found, token) for token in shift.suppressed(args.limit)],
    }
    return json.dumps(value, allow_nan=False, indent=1) + "\n"


def _token_json(found: _Found, token: TokenShift) -> Json:
    text = token.piece.decode("utf-8", "replace")
    return {
        "text": text,
        **({"bytes": token.piece.hex()} if text.encode() != token.piece else {}),
        **({"end_of_response": True} if token.is_end else {}),
        "change": token.change,
        "promoted": token.promoted,
        "suppressed": token.suppressed,
        "promoted_at": token.promoted_at,
        "suppressed_at": token.suppressed_at,
        "said": token.said,
        "promotions": [_place_json(found, place) for place in token.promotions],
        "suppressions": [_place_json(found, place) for place in token.suppressions],
    }


def _place_json(found: _Found, place: Place) -> Json:
    line, column = found.lines[place.file].position(place.start, "utf-32")
    return {
        "file": place.file,
        "response": place.response,
        "position": place.position,
        "start": place.start,
        "end": place.end,
        "line": line + 1,
        "column": column + 1,
        "base": place.base,
        "aligned": place.aligned,
        "change": place.change,
        "said": place.said,
    }

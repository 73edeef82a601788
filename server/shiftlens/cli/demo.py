"""`shiftlens demo`: a real server and a real client, a transcript, and what an editor would show of it."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlens.cli.options import add_pair_arguments, check_pair_arguments, pair_of
from shiftlens.errors import ShiftLensError, TranscriptError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec

if TYPE_CHECKING:
    from shiftlens.analysis.model import Summary

_NEXT = """\
What next:
  shiftlens analyze YOUR-FILE --bundled                     your own transcript, with the tiny bundled pair
  shiftlens analyze YOUR-FILE --base NAME --aligned NAME    with your own models (Hugging Face names or folders)
  make vsix                                                 build the VS Code extension, for colours while you read"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="see it work on a bundled transcript, in a server as editors start it",
        description="Start the language server as an editor does, open a transcript and print what it shows.",
    )
    parser.add_argument("path", metavar="PATH", nargs="?", help="a transcript (default: a bundled one)")
    add_pair_arguments(parser)
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Exit code 0 where the server showed colours, else 1."""
    check_pair_arguments(parser, args)
    own_pair = args.base or args.aligned
    base, aligned = (args.base or "", args.aligned or "") if own_pair else (BUNDLED_BASE, BUNDLED_ALIGNED)
    try:
        pair = pair_of(args, base, aligned)
        path = Path(args.path) if args.path else _bundled_transcript()
        _demo(path, pair, args.color)
    except ShiftLensError as error:
        from shiftlens.text.visible import harmless

        print(harmless(f"shiftlens demo: {error}"), file=sys.stderr)
        return 1
    return 0


def _demo(path: Path, pair: PairSpec, color: str) -> None:
    from shiftlens.analysis.classify import combine
    from shiftlens.cli.demo_editor import show
    from shiftlens.cli.paint import painter
    from shiftlens.text.visible import harmless

    text = _text(path)
    paint = painter(sys.stdout, color)
    paint.line(f"Opening {harmless(str(path))} in a language server of its own ...")
    shown = asyncio.run(show(path, text, _settings(pair), _teller()))
    paint.line()
    paint.spans(text, shown.highlights)
    paint.line()
    paint.legend()
    counts = [response["summary"] for response in shown.analysis["responses"] if response["summary"]]
    paint.summary("Summary", combine(map(_summary, counts)))
    if shown.hovered is not None:
        paint.line()
        paint.title(f"What you see when you point at {text[shown.hovered.start : shown.hovered.end]!r}:")
        paint.line(harmless(shown.hover))
    paint.line()
    paint.line(_NEXT)


def _summary(counts: dict[str, Any]) -> Summary:
    """What the server says of a response, as the terminal's painter takes it."""
    from shiftlens.analysis.model import Summary
    from shiftlens.analysis.token_kind import TokenKind

    kinds = {kind.words: kind for kind in TokenKind}
    return Summary(
        tokens=counts["tokens"],
        unshifted=counts["unshifted"],
        marginal=counts["marginal"],
        shifted=counts["shifted"],
        flagged=counts["flagged"],
        flagged_unshifted=counts["flaggedUnshifted"],
        flagged_marginal=counts["flaggedMarginal"],
        flagged_shifted=counts["flaggedShifted"],
        unknown=counts.get("unknown", 0),
        by_kind=tuple((kinds[of["kind"]], _summary(of)) for of in counts.get("byKind", ())),
    )


def _bundled_transcript() -> Path:
    from shiftlens.bundled.paths import transcripts

    found = transcripts()
    readable = [path for path in found if path.suffix in {".txt", ".md"}]
    try:
        return (readable or list(found))[0]
    except IndexError:
        raise TranscriptError("No transcript came with this installation.", "Name one: shiftlens demo PATH") from None


def _text(path: Path) -> str:
    from shiftlens.transcripts.files import decode

    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise TranscriptError(f"{path} can't be read: {error.strerror}.") from None


def _settings(pair: PairSpec) -> dict[str, object]:
    return {
        "base": pair.base,
        "aligned": pair.aligned,
        "device": pair.device,
        "dtype": pair.dtype,
        "matrixLibrary": pair.matrix_library,
        "allowDownload": pair.allow_download,
        "allowPickle": pair.allow_pickle,
        "runPolicy": "onOpen",
        # Shown is that the models load and score here.
        "resultCache": False,
        "shareEngine": False,
    }


def _teller() -> functools.partial[None]:
    return functools.partial(_tell, [])


def _tell(told: list[str], message: str) -> None:
    """Say on a terminal what the server is at, each thing once."""
    if message not in told and sys.stderr.isatty():
        told.append(message)
        print(f"  {message}", file=sys.stderr)

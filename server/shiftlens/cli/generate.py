"""`shiftlens generate`: the aligned model answers a conversation that has no answer yet."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.continue_from import TextStream, number
from shiftlens.cli.files import add_reading_arguments, complain
from shiftlens.cli.one_position import read_stdin_of, whole_number
from shiftlens.cli.options import choose, own_template_of
from shiftlens.errors import ShiftLensError, TranscriptError
from shiftlens.text.whole_file import write_whole

if TYPE_CHECKING:
    from shiftlens.scores.requests import ResponseToScore
    from shiftlens.transcripts.model import Transcript

_MOST_TOKENS = 512

_EPILOG = """\
The conversation ends with a query, or with an empty turn of the assistant (`Assistant:` with nothing behind it). The
answer is greedy unless a seed is named. With --output the transcript is written with the answer behind it, in its own
format, where that reads back as the same turns; else the answer is only printed. Tools that the file offers are given
to the model where its chat template takes them; else a note says so.
Exit codes: 0 answered, 1 it could not be answered or written, 2 wrong usage, 130 interrupted.
"""

_CUTS = {"length": "--max-tokens", "room": "the most that the model takes"}
"""What cut an answer, by how its last token says that it ends."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "generate",
        help="have the aligned model answer a conversation that has no answer yet",
        description="Have the aligned model answer a conversation that has no answer yet.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="FILE", help="a transcript; - is standard input")
    parser.add_argument(
        "--conversation",
        type=whole_number(1),
        metavar="N",
        help="which conversation of the file, from 1 (default: the one without an answer)",
    )
    parser.add_argument("--alpha", type=number, metavar="A", default=0.0, help="as with `continue` (default 0)")
    parser.add_argument("--seed", type=whole_number(0), metavar="S", help="draw with this seed instead of greedily")
    parser.add_argument("--temperature", type=number, metavar="T", default=1.0, help="default %(default)s")
    parser.add_argument(
        "--top-p", type=number, metavar="P", default=1.0, help="draw among the likeliest (default %(default)s: all)"
    )
    parser.add_argument(
        "--max-tokens", type=whole_number(1), metavar="M", default=_MOST_TOKENS, help="default %(default)s"
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("-o", "--output", metavar="FILE", help="write the transcript with the answer to a new file")
    target.add_argument("--in-place", action="store_true", help="write the transcript with the answer over the file")
    add_reading_arguments(parser)
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.in_place and args.path == "-":
        parser.error("standard input can't be written in place; name a file, or use --output")
    if args.output is not None and Path(args.output).exists():
        parser.error(f"{args.output} is there already; name a new file, or use --in-place")
    if args.output is not None and not Path(args.output).parent.is_dir():
        parser.error(f"{args.output} can't be written: there is no folder {Path(args.output).parent}")
    stdin = read_stdin_of(parser, args)
    shown = "<stdin>" if args.path == "-" else args.path
    try:
        asyncio.run(_generate(args, shown, stdin))
    except ShiftLensError as error:
        complain(shown, str(error))
        return 1
    except OSError as error:
        complain(shown, f"The transcript could not be written to {args.output or args.path}: {error.strerror}.")
        return 1
    return 0


async def _generate(args: argparse.Namespace, shown: str, stdin: bytes) -> None:
    from shiftlens.page.sources import sources_in
    from shiftlens.transcripts.appending import with_answer
    from shiftlens.transcripts.file_bytes import read_bytes
    from shiftlens.transcripts.files import decode

    raw = read_bytes(args.path, stdin, args.max_bytes)
    own = own_template_of(args)
    source, *more = sources_in(args.path, stdin, args.max_bytes, args.transcript_format, own)
    if more or not source.in_file:
        raise TranscriptError("This is an archive.", "Name one of its files, unpacked.")
    transcript, text = source.transcript, source.text
    for line, problem in transcript.problems:
        complain(shown, f"line {line}: {problem}")
    at = _conversation(args, transcript)
    for note in transcript.notes[at]:
        complain(shown, note)
    answer = await _answer(args, shown, transcript, _request(transcript, at))
    if args.output is None and not args.in_place:
        return
    kept = answer.strip()
    if kept != answer:
        complain(shown, "White space around the answer was left out of the transcript.")
    if not kept:
        raise TranscriptError("The answer is empty, so that nothing was written.", "Try another --seed.")
    name = "" if args.path == "-" else args.path
    written = with_answer(text, transcript, at, kept, filename=name, own_template=own)
    if args.in_place and decode(raw, args.max_bytes).encode("utf-8") != raw:
        raise TranscriptError(
            "The file is not in UTF-8 (or not all of it), so that writing it would change it.",
            "Use --output with a new file.",
        )
    if args.in_place and read_bytes(args.path, stdin, args.max_bytes) != raw:
        raise TranscriptError("The file has changed meanwhile, so that it was left as it is.", "Ask again.")
    try:
        write_whole(Path(args.path if args.in_place else args.output), written, new=not args.in_place)
    except FileExistsError:
        raise TranscriptError(
            f"{args.output} came to be meanwhile, and was left as it is.", "Name a new file."
        ) from None


def _conversation(args: argparse.Namespace, transcript: Transcript) -> int:
    from shiftlens.transcripts.appending import unanswered

    waiting = unanswered(transcript)
    count = len(transcript.conversations)
    if args.conversation is not None:
        if args.conversation - 1 in waiting:
            return int(args.conversation) - 1
        why = "has an answer" if args.conversation <= count else f"is not there: the file has {count}"
        raise TranscriptError(f"Conversation {args.conversation} {why}.", "Name one that ends without an answer.")
    if not waiting:
        raise TranscriptError(
            "Every conversation of this file has its answer.",
            "End it with a query, or with `Assistant:` and nothing behind it; `shiftlens continue` goes on elsewhere.",
        )
    if len(waiting) > 1:
        named = ", ".join(str(at + 1) for at in waiting[:10])
        raise TranscriptError(
            f"{len(waiting)} conversations of this file have no answer.", f"Name one with --conversation: {named}."
        )
    return waiting[0]


def _request(transcript: Transcript, conversation: int) -> ResponseToScore:
    """The answer that is to come, which has no text yet."""
    from shiftlens.scores.requests import to_score
    from shiftlens.transcripts.appending import context_of
    from shiftlens.transcripts.model import Response, Role, Turn

    response = Response(
        index=0,
        context=context_of(transcript.conversations[conversation]),
        turn=Turn(Role.ASSISTANT, ()),
        tools=transcript.tools[conversation],
    )
    return to_score(response, transcript.format)


async def _answer(args: argparse.Namespace, shown: str, transcript: Transcript, request: ResponseToScore) -> str:
    """The answer, written to standard output as it comes."""
    from shiftlens.cli.progress import progress_on
    from shiftlens.engine.client import EngineClient, Sharing
    from shiftlens.engine.protocol import Began, Continue, Progress, Wrote
    from shiftlens.scores.continuations import Sampling, Voice, text_of

    choice = choose(args, transcript.front_matter)
    for message in choice.problems:
        complain(shown, message)
    asked = Continue(
        pair=choice.pair,
        options=choice.score_options,
        response=request,
        position=0,
        voices=(Voice(args.alpha, args.seed),),
        sampling=Sampling(temperature=args.temperature, top_p=args.top_p, max_tokens=args.max_tokens),
    )
    engine = EngineClient(sharing=Sharing.OWN if args.private_engine else Sharing.SHARED)
    pieces: list[bytes] = []
    cut: str | None = None
    out = TextStream(sys.stdout)
    try:
        with progress_on(sys.stderr, shown) as on_progress:
            async with aclosing(engine.run(asked)) as events:
                async for event in events:
                    if isinstance(event, Progress) and on_progress is not None:
                        on_progress(event)
                    elif isinstance(event, Began):
                        for note in event.begun.notes:
                            complain(shown, note)
                    elif isinstance(event, Wrote):
                        if event.token.end != "end":
                            pieces.append(event.token.piece)
                            out.write(event.token.piece)
                            sys.stdout.flush()
                        cut = _CUTS.get(event.token.end, cut)
    finally:
        await engine.close()
        out.end()
    if cut is not None:
        complain(shown, f"The answer is cut: it has {len(pieces):,} tokens, {cut}.")
    return text_of(pieces)

"""`shiftlens continue`: what base and aligned model would have said from a position of a response on."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import functools
import json
import math
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from shiftlens.cli.files import complain
from shiftlens.cli.one_position import add_position_arguments, asked_of, read_stdin_of, whole_number
from shiftlens.errors import ShiftLensError

if TYPE_CHECKING:
    from shiftlens.cli.one_position import Asked
    from shiftlens.scores.continuations import Begun, Sampling, Voice, WrittenToken

Json = dict[str, object]

SCHEMA = "shiftlens-continue/1"
_LONGEST_BEFORE = 40

_EPILOG = """\
Each model goes on in its own context, greedily, and with --samples also by chance, with the seeds from --seed on: the
same seed gives the same tokens. With --alpha A a third voice takes the logits aligned + A x (aligned - base): -1 is
the base model, 0 the aligned one, and above 0 what tuning did is amplified.
Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted.
"""
_ENDS = {
    "end": "it ends the text",
    "close": "it closes its context",
    "length": "cut at --max-tokens",
    "room": "the model takes no more",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "continue",
        help="show what base and aligned model would have said from a position on",
        description="Show what base and aligned model would have said from a position of a response on.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_position_arguments(parser)
    parser.add_argument("--alpha", type=number, metavar="A", help="also mix the two models, see below")
    add_sampling_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def add_sampling_arguments(parser: argparse.ArgumentParser, *, tokens: int = 40, samples: int = 0) -> None:
    """How many continuations, how they are drawn, and how long they may be."""
    parser.add_argument(
        "--samples",
        type=whole_number(0),
        metavar="N",
        default=samples,
        help="draw so many beside the greedy one (default %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), metavar="S", default=0, help="the first seed (default %(default)s)"
    )
    parser.add_argument("--temperature", type=number, metavar="T", default=1.0, help="default %(default)s")
    parser.add_argument(
        "--top-p", type=number, metavar="P", default=1.0, help="draw among the likeliest (default %(default)s: all)"
    )
    parser.add_argument(
        "--max-tokens", type=whole_number(1), metavar="M", default=tokens, help="default %(default)s"
    )  # fmt: skip


def number(value: str) -> float:
    """An argparse type: a finite number."""
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if math.isfinite(found):
        return found
    raise argparse.ArgumentTypeError(f"{value!r} is not a number")


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    stdin = read_stdin_of(parser, args)
    try:
        return asyncio.run(_continue(args, stdin))
    except ShiftLensError as error:
        complain("<stdin>" if args.path == "-" else args.path, str(error))
        return 1


@dataclass(slots=True)
class _Told:
    """What has been said so far, of each voice."""

    voices: tuple[Voice, ...]
    begun: Begun | None = None
    tokens: dict[int, list[WrittenToken]] = field(default_factory=dict)


async def _continue(args: argparse.Namespace, stdin: bytes) -> int:
    from shiftlens.engine.protocol import Began, Continue, Progress, Wrote
    from shiftlens.scores.continuations import ALIGNED_ALPHA, BASE_ALPHA, Sampling, voices

    alphas = (BASE_ALPHA, ALIGNED_ALPHA, *(() if args.alpha is None else (args.alpha,)))
    told = _Told(voices(alphas, args.samples, args.seed))
    sampling = Sampling(temperature=args.temperature, top_p=args.top_p, max_tokens=args.max_tokens)
    async with asked_of(args, stdin) as asked:
        printer = _Printer(sys.stdout, asked, told, sampling) if args.format == "text" else None
        request = Continue(
            pair=asked.choice.pair,
            options=asked.choice.score_options,
            response=asked.request,
            position=asked.position,
            voices=told.voices,
            sampling=sampling,
        )
        async with aclosing(asked.engine.run(request)) as events:
            async for event in events:
                if isinstance(event, Began):
                    told.begun = event.begun
                    if printer is not None:
                        printer.begin(event.begun)
                elif isinstance(event, Wrote):
                    told.tokens.setdefault(event.voice, []).append(event.token)
                    if printer is not None:
                        printer.token(event.voice, event.token)
                elif isinstance(event, Progress) and asked.on_progress is not None:
                    asked.on_progress(event)
        if printer is None:
            print(json.dumps(_json(asked, told, sampling), allow_nan=False, indent=1))
    return 0


class _Printer:
    """Writes tokens as they come. Nothing that steers a terminal comes through."""

    def __init__(self, out: TextIO, asked: Asked, told: _Told, sampling: Sampling) -> None:
        self._out, self._asked, self._told, self._sampling = out, asked, told, sampling
        self._voice: int | None = None
        self._text = TextStream(out, "  ")

    def begin(self, begun: Begun) -> None:
        """Say where it is, and what the response says there."""
        from shiftlens.scores.continuations import text_of
        from shiftlens.text.visible import harmless

        pair = self._asked.choice.pair
        before = text_of(begun.before)[-_LONGEST_BEFORE:]
        self._out.write(harmless(f"base {pair.base}, aligned {pair.aligned}") + "\n")
        self._out.write(f"response {self._asked.response + 1}, position {begun.position} of {begun.positions} (from 0)")
        self._out.write(f", behind {json.dumps(harmless(before), ensure_ascii=False)}\n" if before else "\n")
        for note in begun.notes:
            self._out.write(harmless(f"note: {note}") + "\n")
        self._out.write("\nThe response says:\n")
        for piece in begun.said:
            self._text.write(piece)
        self._text.end()

    def token(self, voice: int, token: WrittenToken) -> None:
        """Write a token of a voice, under a title where the voice begins."""
        if voice != self._voice:
            self._voice = voice
            self._out.write(f"\n{_title(self._told.voices[voice], self._sampling)}:\n")
        if token.end != "end":
            self._text.write(token.piece)
        if token.end:
            self._text.end()
            same = _same_characters(self._told, voice)
            said = f"; says the same as the response for {same} characters" if same else ""
            self._out.write(f"  [{_ENDS[token.end]}{said}]\n")
        self._out.flush()


class TextStream:
    """Text of tokens, a character as soon as its last byte has come; lines begin with an indent."""

    def __init__(self, out: TextIO, indent: str = "") -> None:
        self._out, self._indent = out, indent
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False

    def write(self, piece: bytes) -> None:
        self._put(self._decoder.decode(piece))

    def end(self) -> None:
        """The text is over: what is left of a character is U+FFFD."""
        self._put(self._decoder.decode(b"", final=True))
        self._out.write("\n" if self._begun else f"{self._indent}(nothing)\n")
        self._decoder.reset()
        self._begun = False

    def _put(self, text: str) -> None:
        from shiftlens.text.visible import harmless

        if text:
            lead = "" if self._begun else self._indent
            self._begun = True
            self._out.write(lead + harmless(text).replace("\n", "\n" + self._indent))


def _title(voice: Voice, sampling: Sampling) -> str:
    from shiftlens.scores.continuations import voice_name

    name = voice_name(voice)
    if voice.seed is None:
        return f"{name}, greedy"
    top_p = "" if sampling.top_p == 1.0 else f", top-p {sampling.top_p:g}"
    return f"{name}, seed {voice.seed}, temperature {sampling.temperature:g}{top_p}"


def _written(tokens: list[WrittenToken]) -> bytes:
    return b"".join(token.piece for token in tokens if token.end != "end")


def _same_characters(told: _Told, voice: int) -> int:
    """How many characters the response and a voice begin with in common."""
    said = b"".join(told.begun.said).decode("utf-8", "replace") if told.begun is not None else ""
    text = _written(told.tokens.get(voice, [])).decode("utf-8", "replace")
    return next((i for i, (this, other) in enumerate(zip(text, said, strict=False)) if this != other),
                min(len(text), len(said)))  # fmt: skip


def _json(asked: Asked, told: _Told, sampling: Sampling) -> Json:
    from shiftlens.scores.continuations import text_of, voice_name

    begun, pair = told.begun, asked.choice.pair
    return {
        "schema": SCHEMA,
        "file": asked.shown,
        "models": {"base": pair.base, "aligned": pair.aligned},
        "response": asked.response,
        "position": asked.position if begun is None else begun.position,
        "positions": None if begun is None else begun.positions,
        "said": "" if begun is None else text_of(begun.said),
        "notes": [] if begun is None else list(begun.notes),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "continuations": [
            {
                "voice": voice_name(voice),
                "alpha": voice.alpha,
                "seed": voice.seed,
                "text": _written(told.tokens.get(at, [])).decode("utf-8", "replace"),
                "same_characters": _same_characters(told, at),
                "end": told.tokens[at][-1].end if told.tokens.get(at) else None,
                "tokens": [token_json(token) for token in told.tokens.get(at, [])],
            }
            for at, voice in enumerate(told.voices)
        ],
    }


def token_json(token: WrittenToken) -> Json:
    """A token with its text, and its bytes where these are no text."""
    from shiftlens.analysis.json_values import piece_json

    return {"id": token.id, **piece_json(token.piece), "logprob": token.logprob}

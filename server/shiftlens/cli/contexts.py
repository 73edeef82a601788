"""`shiftlens contexts`: a file under several base contexts, and the tokens whose class depends on them."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_reading_arguments, complain, engine_and_store
from shiftlens.cli.one_position import read_stdin_of
from shiftlens.cli.options import choose, context, own_template_of
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import BASE_CONTEXTS

if TYPE_CHECKING:
    from shiftlens.analysis.contexts import FileContexts

_EPILOG = f"""\
A context is one of {", ".join(BASE_CONTEXTS)}, or template:FILE, and may have a name of yours:
--context short=template:a.jinja
Without --context, the named ones are compared. The aligned model is given the same in each.
The table has the positions whose class is not the same under all, counted from 0, with the base model's rank of the
token and its probability under each context.
Exit codes: 0 all was compared, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "contexts",
        help="compare a file under several base contexts: shares, and the tokens whose class changes",
        description="Compare the responses of a transcript under several base contexts: the shares of the classes, and"
        " the tokens whose class changes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="FILE", help="a transcript; - is standard input")
    parser.add_argument(
        "--context",
        dest="contexts",
        type=_named,
        action="append",
        metavar="[NAME=]CONTEXT",
        help="what the base model is given; once for each context",
    )
    add_reading_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    contexts = args.contexts or [(name, name) for name in BASE_CONTEXTS]
    names = [name for name, _ in contexts]
    if args.base_context is not None:
        parser.error("--base-context is one context; name those to compare with --context, once for each")
    if args.compat:
        parser.error(f"--compat {args.compat} has a context of its own, so that there is nothing to compare")
    if len(set(names)) < len(names):
        parser.error("--context has the same name twice; give one of them another: --context NAME=CONTEXT")
    if len(names) < 2:
        parser.error("--context names one context; name two or more, or none for all that have names")
    stdin = read_stdin_of(parser, args)
    shown = "<stdin>" if args.path == "-" else args.path
    try:
        return asyncio.run(_compared(args, stdin, shown, contexts))
    except ShiftLensError as error:
        complain(shown, str(error))
        if args.format == "json":
            print(json.dumps(_error(shown, error), indent=1))
        return 1


async def _compared(
    args: argparse.Namespace, stdin: bytes, shown: str, contexts: Sequence[tuple[str, str]]
) -> int:  # fmt: skip
    from shiftlens.analysis.contexts_contract import to_json
    from shiftlens.cli.progress import progress_on
    from shiftlens.pipeline.contexts import contexts as under_contexts
    from shiftlens.pipeline.reading import read_transcript
    from shiftlens.pipeline.unscored import CHOOSE_PARTS
    from shiftlens.report.text.contexts import not_compared_lines

    transcript = read_transcript(
        args.path,
        stdin,
        format_name=args.transcript_format,
        max_bytes=args.max_bytes,
        own_template=own_template_of(args),
    )
    choice = choose(args, transcript.front_matter)
    if choice.score_options.compat:
        complain(
            shown, "its front matter asks for the numbers of the AlignTDS code, which have a context of their own."
        )
    async with engine_and_store(args) as (engine, store):
        with progress_on(sys.stderr, shown) as on_progress:
            first, compared = await under_contexts(
                engine, transcript, choice, contexts, store=store, on_progress=on_progress
            )
    for line, message in transcript.problems:
        complain(shown, f"line {line}: {message}")
    for message in not_compared_lines(compared):
        complain(shown, message)
    for message in first.problems:
        complain(shown, message)
    if first.left_out:
        complain(shown, f"{first.left_out} {CHOOSE_PARTS}")
    if args.format == "json":
        print(json.dumps(to_json(compared, shown, not_scored=first.not_scored), allow_nan=False, indent=1))
    else:
        print("\n".join(_lines(shown, compared)))
    return 1 if transcript.problems or compared.not_compared else 0


def _lines(shown: str, found: FileContexts) -> Iterator[str]:
    from shiftlens.report.text.contexts import contexts_lines
    from shiftlens.text.visible import harmless_name

    pair = found.analyses[0].pair
    yield harmless_name(shown)
    yield f"base {harmless_name(pair.base)}, aligned {harmless_name(pair.aligned)}"
    yield from (line.text for line in contexts_lines(found))


def _named(value: str) -> tuple[str, str]:
    """An argparse type: a context, or a name and a context."""
    name, equals, rest = value.partition("=")
    # The path of a template may have an equals sign in it.
    if equals and name and not name.startswith("template:"):
        return name, context(rest)
    return value, context(value)


def _error(shown: str, error: ShiftLensError) -> dict[str, object]:
    from shiftlens.analysis.contexts_contract import SCHEMA
    from shiftlens.analysis.json_values import error_json

    return error_json(SCHEMA, shown, error)

"""`shiftlens formats`: the transcript formats that are known, and an example of each."""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.visible import harmless

_EPILOG = """\
An example goes straight into an analysis: shiftlens formats chatml | shiftlens analyze - --bundled
Exit codes: 0 told, 2 there is no such format.
"""


@dataclass(frozen=True, slots=True)
class _Known:
    """A format as it is told: its name, a line on it, and examples (file name, text)."""

    name: str
    summary: str
    examples: tuple[tuple[str, str], ...]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "formats",
        help="list the transcript formats that are known, with examples",
        description="List the transcript formats that are known; with NAME, print an example of that one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="print an example of this format and nothing else")
    parser.add_argument("--examples", action="store_true", help="with every example of each format")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    known = _formats()
    if args.name is not None:
        known = tuple(each for each in known if each.name == args.name)
        if not known:
            names = ", ".join(each.name for each in _formats())
            parser.error(f"there is no format {args.name!r}; there are {names}")
    if args.format == "json":
        print(json.dumps([_as_json(each) for each in known], indent=1))
    elif args.name is not None and not args.examples:
        return _print_example(parser, known[0])
    else:
        _print_list(known, examples=args.examples)
    return 0


def _print_example(parser: argparse.ArgumentParser, known: _Known) -> int:
    """The first example as it is, to be piped or kept as a file."""
    if not known.examples:
        parser.error(f"there is no example of {known.name}")
    sys.stdout.write(known.examples[0][1])
    return 0


def _print_list(known: Sequence[_Known], *, examples: bool) -> None:
    width = max(len(each.name) for each in known)
    for each in known:
        print(f"{each.name:<{width}}  {harmless(each.summary)}")
        for filename, text in each.examples if examples else ():
            print(f"\n  {filename}")
            print("".join(f"    {harmless(line)}\n" for line in text.splitlines()))


def _as_json(known: _Known) -> dict[str, object]:
    examples = [{"filename": filename, "text": text} for filename, text in known.examples]
    return {"name": known.name, "summary": known.summary, "examples": examples}


def _formats() -> tuple[_Known, ...]:
    # The registry of formats takes the place of the table of names that readers had before it.
    try:
        registry = importlib.import_module("shiftlens.transcripts.registry")
    except ModuleNotFoundError:
        return _named()
    return tuple(
        _Known(each.name, each.summary, tuple((example.filename, example.text) for example in each.examples))
        for each in registry.formats()
    )


def _named() -> tuple[_Known, ...]:
    """From the table of names, with the bundled transcripts as examples."""
    from shiftlens.bundled.paths import transcripts
    from shiftlens.transcripts.read import FORMATS, read

    examples: dict[str, tuple[tuple[str, str], ...]] = {}
    for path in transcripts():
        text = path.read_text(encoding="utf-8")
        found = read(text, filename=path.name)
        if found is not None:
            examples[found.format] = (*examples.get(found.format, ()), (path.name, text))
    return tuple(_Known(name, summary, examples.get(name, ())) for name, summary in FORMATS)

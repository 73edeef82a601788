"""`shiftlens formats`: the transcript formats that are known, and an example of each."""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Sequence

from shiftlens.text.visible import harmless
from shiftlens.transcripts.conversation import MAX_RESPONSES, MAX_TURNS
from shiftlens.transcripts.format import Format
from shiftlens.transcripts.registry import formats

_EPILOG = """\
An example goes straight into an analysis: shiftlens formats chatml | shiftlens analyze - --bundled
Exit codes: 0 told, 2 there is no such format.
"""


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
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    known = formats()
    if args.name is not None:
        known = tuple(each for each in known if each.name == args.name)
        if not known:
            names = ", ".join(each.name for each in formats())
            parser.error(f"there is no format {args.name!r}; there are {names}")
    if args.format == "json":
        print(json.dumps([_as_json(each) for each in known], indent=1))
    elif args.format == "markdown":
        print(as_markdown(known), end="")
    elif args.name is not None and not args.examples:
        return _print_example(known[0])
    else:
        _print_list(known, examples=args.examples)
    return 0


def _print_example(known: Format) -> int:
    """The first example as it is, to be piped or kept as a file."""
    sys.stdout.write(known.examples[0].text)
    return 0


def _print_list(known: Sequence[Format], *, examples: bool) -> None:
    width = max(len(each.name) for each in known)
    for each in known:
        print(f"{each.name:<{width}}  {harmless(each.summary)}")
        for example in each.examples if examples else ():
            print(f"\n  {example.filename}")
            print("".join(f"    {harmless(line)}\n" for line in example.text.splitlines()))


def _as_json(known: Format) -> dict[str, object]:
    examples = [{"filename": example.filename, "text": example.text} for example in known.examples]
    return {"name": known.name, "summary": known.summary, "examples": examples}


def as_markdown(known: Sequence[Format]) -> str:
    """A page that lists formats with their examples, as `docs/formats.md` has it."""
    parts = [
        "# Transcript formats",
        "What ShiftLens reads, in the order in which formats of text, then of JSON, are looked for. A file is detected"
        " by its content; `format:` in its front matter, the setting `shiftlens.format` or `--transcript-format` names"
        " one instead. `shiftlens formats NAME | shiftlens analyze - --bundled` tries an example.",
        f"Of a file with more than {MAX_RESPONSES:,} responses the first are read, and a problem names the line where"
        f" the rest begins. A conversation of more than {MAX_TURNS:,} turns is not read.",
        "This page is written by `make docs`.",
    ]
    for each in known:
        parts.append(f"## {each.name}")
        parts.append(f"{_escaped(each.summary)}.")
        for example in each.examples:
            fence = "`" * max(3, 1 + _longest_run(example.text))
            parts.append(f"`{example.filename}`")
            parts.append(f"{fence}text\n{example.text.rstrip()}\n{fence}")
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)

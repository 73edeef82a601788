"""The `shiftlens` command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from shiftlens import __version__

INTERRUPTED = 130

COMMANDS = (
    "analyze",
    "show",
    "report",
    "site",
    "diff-vocabulary",
    "corpus",
    "corpus-summary",
    "stages",
    "contexts",
    "noise-floor",
    "continue",
    "rank",
    "cross-sample",
    "generate",
    "formats",
    "cache",
    "demo",
    "doctor",
    "serve",
    "mcp",
)

# No module can be imported by the name of a keyword.
_MODULES = {"continue": "continue_from"}


def build_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of these commands, each a module of this room.

    Each sets `run`, which takes the parsed arguments and returns an exit code.
    """
    parser = argparse.ArgumentParser(
        prog="shiftlens", description="See which tokens of a model's response alignment shifted."
    )
    parser.add_argument("--version", action="version", version=f"shiftlens {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in names:
        importlib.import_module(f"shiftlens.cli.{_MODULES.get(name, name.replace('-', '_'))}").add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Exit code 2 (through SystemExit) for wrong usage, 130 where the user interrupts it."""
    given = sys.argv[1:] if argv is None else list(argv)
    # The server starts sooner where it need not import every other command.
    args = build_parser(given[:1] if given[:1] and given[0] in COMMANDS else COMMANDS).parse_args(given)
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("shiftlens: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (such as `head`) has left. Python would complain at exit unless stdout leads nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code

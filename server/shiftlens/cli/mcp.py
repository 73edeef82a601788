"""`shiftlens mcp`: tools for agents, over the model context protocol."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from typing import TYPE_CHECKING

from shiftlens.cli.files import add_reading_arguments, engine_and_store
from shiftlens.cli.options import check_pair_arguments, choose, own_template_of
from shiftlens.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_EPILOG = """\
The tools read and change nothing: analyze, most_shifted, rank_of and continue_from. They take a text with the call, or
a file below a folder named with --allow. The models are those named here: neither an agent nor the front matter of a
text chooses others. Scores are kept as those of other commands are (see `shiftlens cache`). See docs/agents.md.
Exit codes: 0 the client has left, 1 the package `mcp` is not there, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from shiftlens.mcp_server.limits import DEFAULT_MAX_BYTES

    parser = commands.add_parser(
        "mcp",
        help="serve tools for agents (model context protocol, over standard input and output)",
        description="Serve tools for agents by the model context protocol, over standard input and output.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--allow",
        metavar="FOLDER",
        type=_folder,
        action="append",
        default=[],
        help="let agents have files below this folder scored; may be given several times (default: no files)",
    )
    add_reading_arguments(parser)
    parser.set_defaults(run=functools.partial(run, parser), max_bytes=DEFAULT_MAX_BYTES)


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    check_pair_arguments(parser, args)
    try:
        choose(args, {})
    except ModelError as error:
        parser.error(f"{error.problem} Name both with --base and --aligned, or try --bundled.")
    try:
        from mcp.server.mcpserver import MCPServer  # noqa: F401
    except ImportError as error:
        print(
            f"shiftlens mcp needs the Python package mcp, version 2, which is not in this environment ({error}).\n"
            f"Install it there: {sys.executable} -m pip install 'shiftlens[mcp]'",
            file=sys.stderr,
        )
        return 1
    asyncio.run(_serve(args))
    return 0


async def _serve(args: argparse.Namespace) -> None:
    from shiftlens.mcp_server.asking import Evidence
    from shiftlens.mcp_server.server import mcp_server
    from shiftlens.mcp_server.sources import Reading

    folders: tuple[Path, ...] = tuple(dict.fromkeys(args.allow))
    reading = Reading(folders, args.max_bytes, args.transcript_format, own_template_of(args))
    async with engine_and_store(args) as (engine, store):
        await mcp_server(Evidence(reading, functools.partial(choose, args), engine, store)).run_stdio_async()


def _folder(value: str) -> Path:
    """An argparse type: a folder that there is."""
    from shiftlens.mcp_server.sources import allowed_folder

    try:
        return allowed_folder(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None

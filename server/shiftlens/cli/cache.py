"""`shiftlens cache`: what is kept on disk, and away with it."""

from __future__ import annotations

import argparse
import json
import sys

from shiftlens.errors import ShiftLensError

SCHEMA = "shiftlens-cache/1"

_MEBIBYTE = 1 << 20
_EPILOG = """\
What is kept: for each scored response the numbers, the tokens, and what each model was given before it, which holds
the conversation's text. The folder is the user's cache folder, or the one that SHIFTLENS_CACHE_DIR names.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "cache",
        help="show or clear the scores that are kept on disk",
        description="Show or clear the scores that are kept on disk.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("show", "clear"), nargs="?", default="show", help="default %(default)s")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where the scores could not be cleared."""
    from shiftlens.scores.location import user_store
    from shiftlens.text.visible import harmless

    store = user_store()
    removed: int | None = None
    if args.action == "clear":
        try:
            removed = store.clear()
        except ShiftLensError as error:
            print(harmless(f"shiftlens: {error}"), file=sys.stderr)
            return 1
    stats = store.stats()
    if args.format == "json":
        answer = {
            "schema": SCHEMA,
            "path": str(stats.path),
            "entries": stats.entries,
            "sides": stats.sides,
            "bytes": stats.bytes,
            "limit": stats.limit_bytes,
            "file_bytes": stats.file_bytes,
        }
        print(json.dumps(answer if removed is None else answer | {"removed": removed}, indent=1))
        return 0
    if removed is not None:
        print(f"Removed {removed:,} results.")
    print(harmless(f"Path:    {stats.path}"))
    print(f"Results: {stats.entries:,}")
    print(f"Sides:   {stats.sides:,} (what one model gave for a response, once for all models it is compared with)")
    print(f"Size:    {_in_words(stats.bytes)} of at most {_in_words(stats.limit_bytes)}")
    return 0


def _in_words(count: int) -> str:
    return f"{count / _MEBIBYTE:,.0f} MiB" if count >= 10 * _MEBIBYTE else f"{count / 1024:,.0f} KiB"

"""`shiftlens serve`: the language server."""

from __future__ import annotations

import argparse

LOG_LEVELS = ("debug", "info", "warning", "error")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="run the language server (over standard input and output, unless told otherwise)",
        description="Run the language server over standard input and output, or for one client over TCP.",
        epilog="Over TCP nobody is asked who they are: the client is the first connection that begins as one, and any"
        " user and any program of this machine can be it (with another --host, of every machine that reaches it). It"
        " can have files of yours read and scored. Prefer standard input and output.",
    )
    parser.add_argument("--tcp", action="store_true", help="listen on a TCP port, for whoever connects first")
    parser.add_argument(
        "--host", default="127.0.0.1", help="with --tcp: the address to listen on (default %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="with --tcp: the port (default: a free one, told on stderr)"
    )
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="warning", help="default %(default)s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from shiftlens.lsp.server.start import start

    start(tcp=args.tcp, host=args.host, port=args.port, log_level=args.log_level)
    return 0

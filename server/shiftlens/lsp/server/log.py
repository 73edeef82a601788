"""Logging to stderr that never holds text of a transcript."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

from pygls.exceptions import JsonRpcException

LEVELS = ("error", "warning", "info", "debug")


def configure_logging(level: str) -> None:
    """Send every logger to stderr at `level` (one of LEVELS).

    Of pygls only errors: at INFO it logs payloads, and its warnings are of cancels that came too late.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_without_payload)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("pygls").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, logging.getLogger().level))


def _without_payload(record: logging.LogRecord) -> bool:
    """Keep what pygls says went wrong, not the parameters it went wrong with; drop answers that are meant."""
    if record.name.split(".")[0] == "pygls":
        if record.exc_info and isinstance(record.exc_info[1], JsonRpcException):
            return False
        record.msg, record.args = str(record.msg).partition("%")[0].rstrip(' \n:"'), ()
    return True


class _Formatter(logging.Formatter):
    """Shows of an exception its type and where it was raised: its message may quote the document."""

    def formatException(  # noqa: N802 (the name is logging's)
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        kind, _, trace = ei
        frames = "".join(traceback.format_tb(trace)) if trace is not None else ""
        return f"{frames}{kind.__name__ if kind is not None else ''}"

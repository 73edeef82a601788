"""Keys of model servers, from the environment alone.

A key belongs to one server: no other one that a name leads to is ever sent it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from shiftlens.errors import ModelError
from shiftlens.options.server_names import origin_of

KEYS_VARIABLE = "SHIFTLENS_API_KEYS"
"""The environment variable with `ORIGIN=KEY` for each server, separated by spaces; an origin is as `https://host:8000`."""


def key_for(url: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key of the server of a URL, None where there is none. Raises ModelError, without the key, for a bad entry."""
    wanted = origin_of(url)
    for number, entry in enumerate(environment.get(KEYS_VARIABLE, "").split(), start=1):
        origin, equals, key = entry.partition("=")
        try:
            found = origin_of(origin)
        except ValueError:
            found = ""
        if not equals or not key or not found or not (key.isascii() and key.isprintable()):
            raise ModelError(
                f"Entry {number} of the environment variable {KEYS_VARIABLE} is not ORIGIN=KEY.",
                "Write each as in `https://gpu.example:8000=KEY`, with spaces between them.",
            )
        if found == wanted:
            return key
    return None

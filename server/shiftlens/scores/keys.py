"""Keys of scores: equal where the same models would give the same numbers for the same input."""

from __future__ import annotations

import functools
import hashlib

import msgspec

from shiftlens import __version__
from shiftlens.scores.records import ScoredResponse, SideScores
from shiftlens.scores.template_date import TEMPLATE_DATE

SCORING_VERSION = 4
"""Raise it when the same models, text and options come to give other numbers within one release."""

_encoder = msgspec.msgpack.Encoder()


def key_of(*parts: object) -> bytes:
    """The SHA-256 of these values, as MessagePack has them."""
    return hashlib.sha256(_encoder.encode(parts)).digest()


def side_key(side: SideScores) -> bytes:
    """The key of what one model gave: which model, how it was run, and which ids it was fed and scored.

    What it is compared with has no part in it, so that a base model's side is kept once for all models tuned from it.
    """
    asked = (side.prefix_ids, side.ids, side.end_id, side.k, side.parts, side.full_context_rows, bool(side.decoded))
    return key_of(scoring(), side.model, asked)


@functools.cache
def scoring() -> tuple[object, ...]:
    """What else the numbers come from: this code and the libraries below it. The schema tells the shape of a record."""
    schema = msgspec.json.encode(msgspec.json.schema(ScoredResponse))
    return (
        SCORING_VERSION,
        __version__,
        str(TEMPLATE_DATE),
        *(_version(name) for name in ("torch", "transformers", "peft")),
        schema,
    )


def _version(library: str) -> str:
    # It brings half of `email` along, which the start of a server need not wait for.
    from importlib import metadata

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""

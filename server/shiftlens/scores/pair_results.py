"""The kept results of one pair of models, as its files are now."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from shiftlens import __version__
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.columns import ScoredResponse
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.matrix_library import expected_library
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scores.store import ResultStore
from shiftlens.scores.template_date import TEMPLATE_DATE

SCORING_VERSION = 3
"""Raise it when the same models, text and options come to give other numbers within one release."""

_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class PairResults:
    """`fingerprints` are those of the base and the aligned model, `matrix_library` is what their products are expected
    to be taken by ("" where that can't be told yet). Methods other than `key` block and do not raise.
    """

    store: ResultStore
    pair: PairSpec
    fingerprints: tuple[str, str]
    matrix_library: str = ""

    def key(self, options: ScoreOptions, response: ResponseToScore, matrix_library: str | None = None) -> bytes:
        """Equal for two responses that the engine would give the same numbers, in whatever session.

        Device and dtype are taken as they are named, so that "auto" and what it stands for are two. The library is the
        one that numbers were had from (as `Scored` tells), or without that the one that is expected.
        """
        library = self.matrix_library if matrix_library is None else matrix_library
        return _hash(_scoring(), self.fingerprints, self.pair.device, self.pair.dtype, library, options, response)

    def recall(self, options: ScoreOptions, responses: Iterable[ResponseToScore]) -> dict[int, ScoredResponse]:
        """The kept results, by the position of their response among `responses`."""
        keys = [self.key(options, response) for response in responses]
        found = self.store.get(dict.fromkeys(keys))
        return {at: found[key] for at, key in enumerate(keys) if key in found}

    def descriptions(self) -> tuple[ModelDescription | None, ModelDescription | None]:
        """What base and aligned model said of themselves, as far as it is kept."""
        base, aligned = self._description_keys()
        return self.store.description(base), self.store.description(aligned)

    def keep_descriptions(self, base: ModelDescription | None, aligned: ModelDescription | None) -> None:
        """Keep what the engine says of models that are still what they were when these results were opened."""
        told = zip(self._description_keys(), self.fingerprints, (base, aligned), strict=True)
        for key, fingerprint, description in told:
            fits = description is not None and description.fingerprint == fingerprint
            if description is not None and fits and description != self.store.description(key):
                self.store.put_description(key, description)

    def _description_keys(self) -> tuple[bytes, bytes]:
        how = (__version__, self.pair.device, self.pair.dtype, self.pair.matrix_library)
        base, aligned = self.fingerprints
        return _hash(self.pair.base, base, how), _hash(self.pair.aligned, aligned, how)


def open_pair_results(store: ResultStore, pair: PairSpec) -> PairResults | None:
    """The results of a pair; None where a model is not wholly on this machine, so that nothing can tell what it is."""
    base, aligned = model_fingerprint(pair.base), model_fingerprint(pair.aligned)
    if base is None or aligned is None:
        return None
    return PairResults(store, pair, (base, aligned), expected_library(pair.matrix_library))


@functools.cache
def _scoring() -> tuple[object, ...]:
    """What else the numbers come from: this code and the libraries below it. The schema tells the shape of a value."""
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


def _hash(*parts: object) -> bytes:
    return hashlib.sha256(_encoder.encode(parts)).digest()

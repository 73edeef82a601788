"""The stored results of one pair of models, as its files are now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens import __version__
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.keys import key_of, scoring
from shiftlens.scores.matrix_library import expected_library
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scores.store import ResultStore


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
        base, aligned = _numbers(self.pair)
        both = aligned if base == aligned else (base, aligned)
        return key_of(scoring(), self.fingerprints, self.pair.device, both, library, options, response)

    def are_of(self, scored: ScoredResponse) -> bool:
        """Whether scores are of these models as their files are now. The engine may hold what it loaded before."""
        return (scored.base.model.fingerprint, scored.aligned.model.fingerprint) == self.fingerprints

    def recall(self, options: ScoreOptions, responses: Iterable[ResponseToScore]) -> dict[int, ScoredResponse]:
        """The stored results, by the position of their response among `responses`."""
        keys = [self.key(options, response) for response in responses]
        found = self.store.get(dict.fromkeys(keys))
        return {at: found[key] for at, key in enumerate(keys) if key in found}

    def descriptions(self) -> tuple[ModelDescription | None, ModelDescription | None]:
        """What base and aligned model said of themselves, as far as it is stored."""
        base, aligned = self._description_keys()
        return self.store.description(base), self.store.description(aligned)

    def store_descriptions(self, base: ModelDescription | None, aligned: ModelDescription | None) -> None:
        """Store what the engine says of models that are still what they were when these results were opened."""
        told = zip(self._description_keys(), self.fingerprints, (base, aligned), strict=True)
        for key, fingerprint, description in told:
            fits = description is not None and description.fingerprint == fingerprint
            if description is not None and fits and description != self.store.description(key):
                self.store.put_description(key, description)

    def _description_keys(self) -> tuple[bytes, bytes]:
        pair = self.pair
        base, aligned = (
            key_of(name, fingerprint, (__version__, pair.device, numbers, pair.matrix_library))
            for name, fingerprint, numbers in zip(
                (pair.base, pair.aligned), self.fingerprints, _numbers(pair), strict=True
            )
        )
        return base, aligned


def _numbers(pair: PairSpec) -> tuple[object, object]:
    """What base and aligned model compute in, as keys have it."""
    base = pair.base_dtype or pair.dtype
    return ((base, pair.base_weights) if pair.base_weights else base), pair.dtype


def open_pair_results(store: ResultStore, pair: PairSpec) -> PairResults | None:
    """The results of a pair; None where a model is not wholly on this machine, so that nothing can tell what it is."""
    base, aligned = model_fingerprint(pair.base), model_fingerprint(pair.aligned)
    if base is None or aligned is None:
        return None
    return PairResults(store, pair, (base, aligned), expected_library(pair.matrix_library))

"""What a sidecar says of itself: whose scores it holds, of which text, and when they were had."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

import msgspec

from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.records import ScoringModel
from shiftlens.scores.sidecar.bad import BadSidecar

FORMAT = "shiftlens-sidecar"
VERSION = 2
"""The latest. What needs none of its columns is written as version 1, which earlier releases read."""
METADATA_KEY = "shiftlens"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`ScoreOptions`, as a sidecar has them."""

    base_context: str
    aligned_context: str
    top_k: int
    compat: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, options: ScoreOptions) -> Options:
        return cls(**dataclasses.asdict(options))

    def score_options(self) -> ScoreOptions:
        return ScoreOptions(**msgspec.structs.asdict(self))


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Which model gave the numbers, and how it was run. `parameters` and `architecture` are 0 and "" if not known."""

    name: str
    fingerprint: str = ""
    architecture: str = ""
    parameters: int = 0
    vocabulary: int = 0
    device: str = ""
    dtype: str = ""
    matrix_library: str = ""

    @classmethod
    def of(cls, name: str, scoring: ScoringModel, description: ModelDescription | None) -> Model:
        """A description that is of another model than the scores says nothing of it."""
        fits = description is not None and description.fingerprint == scoring.fingerprint
        return cls(
            name=name,
            fingerprint=scoring.fingerprint,
            architecture=description.architecture if description is not None and fits else "",
            parameters=description.parameters if description is not None and fits else 0,
            vocabulary=scoring.vocabulary,
            device=scoring.device,
            dtype=scoring.dtype,
            matrix_library=scoring.matrix_library,
        )


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Both models of the pair."""

    base: Model
    aligned: Model


class TextOf(msgspec.Struct, frozen=True, kw_only=True):
    """The transcript: the name of its file, the format it was read as, and the SHA-256 of its text in UTF-8."""

    name: str
    format: str
    sha256: str


class ResponseOf(msgspec.Struct, frozen=True, kw_only=True):
    """A response with scores: its index in the file, the digest of all that was asked (its text and context), the
    number of its rows, and when it was scored, in UTC."""

    index: int
    request: str
    rows: int
    scored: str


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON in the metadata of a sidecar's schema. `shiftlens` is the version of the package that wrote it."""

    format: str = FORMAT
    version: int = VERSION
    shiftlens: str
    written: str
    transcript: TextOf
    models: Models
    options: Options
    responses: tuple[ResponseOf, ...]

    @property
    def pair(self) -> PairSpec:
        """The pair by its names. It is for showing only: nothing that a sidecar names is loaded."""
        return PairSpec(base=self.models.base.name, aligned=self.models.aligned.name)

    def last_scored(self) -> str:
        """The day of the newest scores."""
        return max((each.scored for each in self.responses), default=self.written)[:10]


class _Version(msgspec.Struct):
    format: str = ""
    version: int = 0


_versions = msgspec.json.Decoder(_Version)
_abouts = msgspec.json.Decoder(About)


def read_about(metadata: Mapping[str, str]) -> About:
    """Raises BadSidecar."""
    text = metadata.get(METADATA_KEY, "")
    try:
        told = _versions.decode(text)
        if told.format == FORMAT and told.version > VERSION:
            raise BadSidecar(f"is of format version {told.version}, and this ShiftLens reads up to version {VERSION}")
        if told.format != FORMAT:
            raise BadSidecar("is no sidecar of ShiftLens")
        return _abouts.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadSidecar("is no sidecar of ShiftLens" if not text else "has broken metadata") from None


def text_digest(text: str) -> str:
    """The SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

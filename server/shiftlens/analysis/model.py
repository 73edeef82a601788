"""The result of an analysis, as the views read it. Columns underneath, one `Token` at a time on top."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from enum import IntEnum

from shiftlens.models.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scoring.columns import ScoredResponse
from shiftlens.transcripts.model import Response, SourceMap, Transcript


class ShiftClass(IntEnum):
    """How far alignment moved a position; ordered, so that `max` is the worst."""

    UNSHIFTED = 0
    MARGINAL = 1
    SHIFTED = 2

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that a model might have put at a position. `piece` is its bytes, `prob` over the vocabulary."""

    id: int
    piece: bytes
    prob: float


@dataclass(frozen=True, slots=True)
class Realigned:
    """A group of positions that are not exactly one token each of the base model, in a pair of two vocabularies.

    Positions [first, end) are the bytes of `base_tokens` tokens of the base model; `base_logprob` is the base model's
    of these tokens together.
    """

    first: int
    end: int
    base_tokens: int
    base_logprob: float


@dataclass(frozen=True, slots=True)
class TokenSide:
    """One model's view of a position. `id` is the id it scored there (the sides differ only at the end).

    In a pair of two vocabularies, ids of the base side stand for bytes (`scoring.columns.OwnTokens`). Where the
    position is realigned, the base side has the `id` -1, the worst rank of the group and no logprob (not a number);
    behind the first position of the group it has no entropy and no candidates either.
    """

    id: int
    rank: int
    logprob: float
    entropy: float
    top: tuple[Candidate, ...]

    @property
    def missing_mass(self) -> float:
        """Probability of everything not in `top`; not a number where there is no `top`."""
        if not self.top:
            return math.nan
        return max(0.0, 1.0 - sum(c.prob for c in self.top))


@dataclass(frozen=True, slots=True)
class Token:
    """One position of a response. `start`, `end` are code-point offsets into the file's text.

    A character whose bytes are split over several tokens belongs to the token with its first byte; the others are empty
    spans behind it, and `piece` holds each one's own bytes. `is_end` marks the position after the last token, which has
    no text. `shortened` names the sides that did not see the whole context. `off_greedy` says that the aligned model's
    most likely token is another one.
    """

    index: int
    id: int
    piece: bytes
    text: str
    start: int
    end: int
    shift: ShiftClass
    special: bool
    boundary: bool
    off_greedy: bool
    is_end: bool
    base: TokenSide
    aligned: TokenSide
    base_rank_of_aligned_top: int
    kl: float
    jaccard: float
    shortened: tuple[str, ...] = ()
    realigned: Realigned | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of positions by class, with and without those flagged `boundary` or realigned."""

    tokens: int
    unshifted: int
    marginal: int
    shifted: int
    flagged: int = 0
    flagged_unshifted: int = 0
    flagged_marginal: int = 0
    flagged_shifted: int = 0
    realigned: int = 0


@dataclass(frozen=True, slots=True)
class ResponseAnalysis:
    """A response, its scores, and a class for each row.

    - text, source: the parts of the response that were scored, as one text, and where it stands in the file.
    - classes: uint8 [n], values of `ShiftClass`.
    - off_greedy: uint8 [n].
    - starts, ends: uint32 [n], code-point offsets into the file's text; together the spans cover the response.
    - text_ends: uint32 [n], where each row ends in `text`, in code points.
    - cuts: uint8 [n], 1 where the row ends inside a character, whose other bytes the next rows hold.
    """

    response: Response
    scored: ScoredResponse
    text: str
    source: SourceMap
    classes: bytes
    off_greedy: bytes
    starts: array[int]
    ends: array[int]
    text_ends: array[int]
    cuts: bytes
    summary: Summary


@dataclass(frozen=True, slots=True)
class Analysis:
    """All responses of one file under one pair and one set of options.

    `responses` holds those scored so far, in file order.
    """

    transcript: Transcript
    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    responses: tuple[ResponseAnalysis, ...]
    summary: Summary

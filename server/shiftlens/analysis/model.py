"""The result of an analysis, as the views read it. Columns underneath, one `Token` at a time on top."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from shiftlens.analysis.token_kind import TokenKind
from shiftlens.options.pair import FROM_MODELS, SCORE_PARTS, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.columns import Rank
from shiftlens.scores.records import AnyScores, LossMask, OneModelScores, ScoredResponse
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Response, Transcript

ANSWER = SCORE_PARTS[0]

SAVED_TOO = (
    "The file holds logprobs of this response itself; `--scores saved` (the setting `shiftlens.scores`) shows them,"
    " without a model."
)


class ShiftClass(IntEnum):
    """How far alignment moved a position. UNKNOWN is no class: too little is known of the base rank to tell one.

    In scores of one model alone, the class goes by that model's own rank, and says how much the token surprised it.
    """

    UNSHIFTED = 0
    MARGINAL = 1
    SHIFTED = 2
    UNKNOWN = 3

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def own_label(self) -> str:
        """The class where it goes by the rank of the one model that there is."""
        return _OWN_LABELS[self]


_OWN_LABELS = {
    ShiftClass.UNSHIFTED: "expected",
    ShiftClass.MARGINAL: "less expected",
    ShiftClass.SHIFTED: "surprising",
    ShiftClass.UNKNOWN: "unknown",
}

CLASSES = (ShiftClass.UNSHIFTED, ShiftClass.MARGINAL, ShiftClass.SHIFTED)
"""The classes proper, which legends and shares name."""


def worst_class(shifts: Iterable[ShiftClass]) -> ShiftClass:
    """The class of tokens that are shown as one: shifted where one of them is, unknown where one may be."""
    order = (*CLASSES[:2], ShiftClass.UNKNOWN, ShiftClass.SHIFTED)
    return max(shifts, key=order.index)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that a model might have put at a position. `id` is the model's own, or stands for it where that is not
    known (see `scores.columns.known_id`); `piece` its bytes, `prob` over the vocabulary."""

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
    """One model's view of a position. `id` is the id it scored there, its own: in a pair of one vocabulary the sides
    differ only at the end.

    In a pair of two vocabularies, where the position is realigned, the base side has no `id`, the worst rank of the
    group and no logprob (not a number); behind the first position of the group it has no entropy and no candidates
    either. Entropy is not a number where it is not known.

    `other_top` are the other model's candidates that are not in `top`, with this model's probability of each, the most
    likely first; empty where that is not known.
    """

    id: int | None
    rank: Rank
    logprob: float
    entropy: float
    top: tuple[Candidate, ...]
    other_top: tuple[Candidate, ...] = ()

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
    most likely token is another one. `part` is the kind of part of the token, one of `options.pair.SCORE_PARTS`.
    `loss_mask` says whether the aligned model's chat template marks it for training, None where it marks nothing.
    `kl` is not a number where it is not known. In scores of one model alone there is no `base`.
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
    base: TokenSide | None
    aligned: TokenSide
    base_rank_of_aligned_top: Rank
    kl: float
    jaccard: float
    shortened: tuple[str, ...] = ()
    realigned: Realigned | None = None
    part: str = "answer"
    kind: TokenKind = TokenKind.CONTENT
    loss_mask: LossMask | None = None

    @property
    def label(self) -> str:
        """The class in words."""
        return self.shift.label if self.base is not None else self.shift.own_label


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of all positions that were scored, by class, with and without those flagged `boundary` or realigned.

    `unknown` are those of which no class can be told. `by_part` has the same counts for each kind of part that any
    position is of, in the order of `options.pair.SCORE_PARTS`, and `by_kind` those for each kind of token, in the order
    of `TokenKind`. `by_loss_mask` has them by what a chat template marks for training, counted positions first; it is
    empty where none marks anything.
    """

    tokens: int
    unshifted: int
    marginal: int
    shifted: int
    flagged: int = 0
    flagged_unshifted: int = 0
    flagged_marginal: int = 0
    flagged_shifted: int = 0
    realigned: int = 0
    unknown: int = 0
    by_part: tuple[tuple[str, Summary], ...] = ()
    by_kind: tuple[tuple[TokenKind, Summary], ...] = ()
    by_loss_mask: tuple[tuple[LossMask, Summary], ...] = ()

    @property
    def is_of_parts(self) -> bool:
        """Whether there are positions of more than answers, so that `by_part` tells something."""
        return any(kind != ANSWER for kind, _ in self.by_part)


@dataclass(frozen=True, slots=True)
class PartPositions:
    """The positions of one part of a turn that was scored.

    - index: of the part in the turn; kind: one of `options.pair.SCORE_PARTS`.
    - first, end: positions [first, end). A token that holds bytes of two parts is of the one with its first byte; the
      end of the response is of the last part.
    - text_start, text_end: the characters of the part in `ResponseAnalysis.text`.
    """

    index: int
    kind: str
    first: int
    end: int
    text_start: int
    text_end: int


@dataclass(frozen=True, slots=True)
class ResponseAnalysis:
    """A response, its scores, and a class for each position. Positions are in the order in which the model wrote the
    parts.

    - text, source: the parts of the response that were scored, as one text, and where it stands in the file.
    - parts: the positions of each of these parts, in order; they leave no position out.
    - has_end: whether the last position is the end of the response. There is none where the last part of the turn is
      not scored, nor in scores of a first part of one.
    - classes: uint8 [n], values of `ShiftClass`.
    - off_greedy: uint8 [n].
    - starts, ends: uint32 [n], code-point offsets into the file's text; together the spans cover what was scored. They
      ascend within a part; a part may stand in the file before one that was written earlier.
    - text_ends: uint32 [n], where each position ends in `text`, in code points.
    - cuts: uint8 [n], 1 where the position ends inside a character, whose other bytes the next positions hold.
    - kinds: uint8 [n], values of `TokenKind`.
    """

    response: Response
    scored: AnyScores
    text: str
    source: SourceMap
    classes: bytes
    off_greedy: bytes
    starts: array[int]
    ends: array[int]
    text_ends: array[int]
    cuts: bytes
    summary: Summary
    parts: tuple[PartPositions, ...]
    has_end: bool
    kinds: bytes = b""

    @property
    def is_of_one_model(self) -> bool:
        """Whether the classes go by the rank of the one model that there is, since no base model's is known."""
        return not isinstance(self.scored, ScoredResponse)

    @property
    def pair_scores(self) -> ScoredResponse:
        """The scores of both models. Raises ValueError where there is one model alone."""
        if not isinstance(self.scored, ScoredResponse):
            raise ValueError(f"response {self.response.index + 1} has the scores of one model alone")
        return self.scored

    def label_of(self, shift: ShiftClass) -> str:
        """A class in words, as it is meant here."""
        return shift.own_label if self.is_of_one_model else shift.label

    @property
    def token_count(self) -> int:
        """Number of positions without the end of the response."""
        return self.scored.rows - self.has_end

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know of this response: first what the file's reader has to say, then the scoring."""
        # What a file holds names no ids of what came before.
        may_show = any(saved.names_tokens for saved in self.response.turn.saved)
        unseen = (SAVED_TOO,) if may_show and self.scored.aligned.prefix_ids else ()
        return (*self.response.notes, *self.scored.notes, *unseen)

    def part_at(self, row: int) -> str:
        """The kind of part that a position is of. Raises IndexError where there are no parts."""
        return self.parts[max(0, bisect_right(self.parts, row, key=lambda part: part.first) - 1)].kind


@dataclass(frozen=True, slots=True)
class Analysis:
    """All responses of one file under one pair and one set of options.

    `responses` holds those scored so far, in file order. `scores` is one of `options.pair.SCORES`: where they were had
    from the file itself, there may be no pair (its names are empty), nor one model of all responses.
    """

    transcript: Transcript
    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    responses: Sequence[ResponseAnalysis]
    summary: Summary
    scores: str = FROM_MODELS

    @property
    def model_names(self) -> tuple[str | None, str | None]:
        """The base and the aligned model, None where there is none. Of scores of the file itself, those named there."""
        if self.scores == FROM_MODELS:
            return self.pair.base, self.pair.aligned
        alone = (each.scored.model_name for each in self.responses if isinstance(each.scored, OneModelScores))
        names = tuple(dict.fromkeys(name for name in alone if name))
        return self.pair.base or None, self.pair.aligned or ", ".join(names) or None

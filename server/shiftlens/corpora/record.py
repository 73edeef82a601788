"""A line, or row, of a corpus's output: one response, with a list for each number of its positions.

`docs/corpora.md` says what the fields mean. A field may be added; those that there are keep their meaning.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import msgspec

from shiftlens.analysis.classify import ranks_of_response, realigned_positions, shares
from shiftlens.analysis.contract import prompt_of
from shiftlens.analysis.divergence import js_between
from shiftlens.analysis.json_values import loss_mask_value
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass, Summary
from shiftlens.analysis.token_kind import TokenKind
from shiftlens.analysis.tokens import base_logprobs, base_side, kl_of_positions, tokens
from shiftlens.corpora.reading import Found
from shiftlens.options.pair import PairSpec
from shiftlens.scores.columns import float32, int32, known_id
from shiftlens.scores.records import LossMask, OneModelScores, ScoredResponse, SideScores
from shiftlens.scores.requests import well_formed
from shiftlens.transcripts.model import Trained

SCHEMA = "shiftlens-corpus/1"

_CLASSES = [None if shift is ShiftClass.UNKNOWN else shift.label for shift in ShiftClass]
_KINDS = [kind.label for kind in TokenKind]

OWN_RANK = "own-rank"

Numbers = list[float | None]
Ranks = list[int | None]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Positions by class; of those that are flagged as well."""

    tokens: int = 0
    unshifted: int = 0
    marginal: int = 0
    shifted: int = 0
    unknown: int = 0
    flagged: int = 0
    flagged_unshifted: int = 0
    flagged_marginal: int = 0
    flagged_shifted: int = 0
    realigned: int = 0


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of the positions that have a class, from 0 to 1; null where none has."""

    unshifted: float | None = None
    marginal: float | None = None
    shifted: float | None = None


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """One value for each position of the response. A list whose field ends in `_above` is null where all are, and
    `loss_mask` where the chat template marks nothing."""

    id: Ranks = []
    text: list[str] = []
    class_: list[str | None] = msgspec.field(name="class", default_factory=list)
    kind: list[str] = []
    part: list[str] = []
    special: list[bool] = []
    boundary: list[bool] = []
    realigned: list[bool] = []
    off_greedy: list[bool] = []
    loss_mask: list[bool | None] | None = None
    base_rank: Ranks = []
    base_rank_above: Ranks | None = None
    aligned_rank: Ranks = []
    aligned_rank_above: Ranks | None = None
    base_rank_of_aligned_top: Ranks = []
    base_logprob: Numbers = []
    aligned_logprob: Numbers = []
    base_entropy: Numbers = []
    aligned_entropy: Numbers = []
    kl: Numbers = []
    js_at_least: Numbers = []


class SplitBytes(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of a token that is not whole characters, as hex."""

    position: int
    bytes: str


class CorpusRow(msgspec.Struct, frozen=True, kw_only=True):
    """One response of a corpus. `status` is "scored", "refused" or "not_scored"; `why` says why it has no positions.

    `classes_by` is OWN_RANK for the scores of one model alone, which is "aligned" here; null for those of a pair.
    """

    schema: str = SCHEMA
    file: str
    row: int
    line: int | None
    response: int
    id: str | None
    format: str
    conversation: int
    turn: int
    label: str
    trained: str
    content: str
    base: str
    base_fingerprint: str
    aligned: str
    aligned_fingerprint: str
    status: str
    why: str | None = None
    prompt: str
    text: str
    notes: list[str] = []
    has_end: bool = False
    summary: Counts = Counts()
    shares: Shares = Shares()
    tokens: Columns = Columns()
    split: list[SplitBytes] = []
    classes_by: str | None = None


def scored_row(found: Found, pair: PairSpec, analysis: ResponseAnalysis) -> CorpusRow:
    """The row of a response that is scored."""
    scored = analysis.scored
    share = shares(analysis.summary)
    of_all = Shares(unshifted=share.unshifted, marginal=share.marginal, shifted=share.shifted)
    row = msgspec.structs.replace(
        _row(found, pair, "scored"),
        aligned_fingerprint=scored.aligned.model.fingerprint,
        text=well_formed(analysis.text),
        notes=[well_formed(note) for note in analysis.notes],
        has_end=analysis.has_end,
        summary=_counts(analysis.summary),
        shares=of_all if share.tokens else Shares(),
        tokens=_columns(analysis),
        split=_split(analysis),
    )
    if isinstance(scored, OneModelScores):
        return msgspec.structs.replace(row, aligned=well_formed(scored.model_name), classes_by=OWN_RANK)
    return msgspec.structs.replace(row, base_fingerprint=scored.base.model.fingerprint)


def unscored_row(found: Found, pair: PairSpec, status: str, why: str) -> CorpusRow:
    """The row of a response without scores: "refused" by the models, or for want of any, or "not_scored" by choice."""
    row = _row(found, pair, status)
    return msgspec.structs.replace(row, why=well_formed(why), text=well_formed(found.response.text))


def _row(found: Found, pair: PairSpec, status: str) -> CorpusRow:
    response = found.response
    trained = response.turn.trained
    return CorpusRow(
        file=well_formed(found.file),
        row=found.at.row,
        line=found.line,
        response=found.at.response,
        id=None if found.id is None else well_formed(found.id),
        format=found.format,
        conversation=response.conversation,
        turn=response.turn_index,
        label=well_formed(response.label),
        trained="" if trained is Trained.UNKNOWN else trained.value,
        content=found.requests.digest(found.number).hex(),
        base=pair.base,
        base_fingerprint="",
        aligned=pair.aligned,
        aligned_fingerprint="",
        status=status,
        prompt=well_formed(prompt_of(response)),
        text="",
    )


def _counts(summary: Summary) -> Counts:
    return Counts(**{name: getattr(summary, name) for name in Counts.__struct_fields__})


def _columns(analysis: ResponseAnalysis) -> Columns:
    scored, n = analysis.scored, analysis.scored.rows
    aligned_ranks = int32(scored.aligned.rank)
    realigned = realigned_positions(scored)
    parts: list[str] = []
    for part in analysis.parts:
        parts += [part.kind] * (part.end - part.first)
    ends = (0, *analysis.text_ends)
    no_ranks: Ranks = [None] * n
    no_numbers: Numbers = [None] * n
    columns = Columns(
        id=[known_id(each) for each in scored.ids],
        text=[well_formed(analysis.text[first:past]) for first, past in itertools.pairwise(ends)],
        class_=[_CLASSES[shift] for shift in analysis.classes],
        kind=[_KINDS[kind] for kind in analysis.kinds],
        part=parts,
        special=list(map(bool, scored.aligned.special)),
        boundary=[False] * n,
        realigned=list(map(bool, realigned)) if realigned else [False] * n,
        off_greedy=list(map(bool, analysis.off_greedy)),
        aligned_rank=_exact(aligned_ranks),
        aligned_rank_above=_above(aligned_ranks),
        aligned_logprob=_numbers(float32(scored.aligned.logprob)),
        aligned_entropy=_numbers(_entropy(scored.aligned)),
        base_rank=no_ranks,
        base_rank_of_aligned_top=no_ranks,
        base_logprob=no_numbers,
        base_entropy=no_numbers,
        kl=no_numbers,
        js_at_least=no_numbers,
    )
    return columns if isinstance(scored, OneModelScores) else _with_base(columns, analysis)


def _with_base(columns: Columns, analysis: ResponseAnalysis) -> Columns:
    """With what takes a base model as well."""
    scored = analysis.pair_scores
    ranks = ranks_of_response(scored)
    return msgspec.structs.replace(
        columns,
        boundary=list(map(bool, scored.comparison.boundary)),
        loss_mask=[loss_mask_value(LossMask(mask)) for mask in scored.comparison.loss_mask] or None,
        base_rank=_exact(ranks),
        base_rank_above=_above(ranks),
        base_rank_of_aligned_top=_exact(int32(scored.comparison.base_rank_of_aligned_top)),
        base_logprob=_numbers(base_logprobs(scored)),
        base_entropy=_numbers(_base_entropy(scored)),
        kl=_numbers(kl_of_positions(scored)),
        js_at_least=_numbers(_js(analysis)),
    )


def _exact(ranks: Sequence[int]) -> Ranks:
    return [rank if rank > 0 else None for rank in ranks]


def _above(ranks: Sequence[int]) -> Ranks | None:
    return [-rank if rank < 0 else None for rank in ranks] if min(ranks, default=0) < 0 else None


def _numbers(values: Sequence[float]) -> Numbers:
    """float32 as it is read by people: with the nine digits that tell any two apart."""
    return [float(f"{value:.9g}") if math.isfinite(value) else None for value in values]


def _entropy(side: SideScores) -> Sequence[float]:
    return float32(side.entropy) if side.entropy else [math.nan] * side.rows


def _base_entropy(scored: ScoredResponse) -> Sequence[float]:
    if scored.comparison.alignment is None:
        return _entropy(scored.base)
    return [base_side(scored, row).entropy for row in range(scored.rows)]


def _js(analysis: ResponseAnalysis) -> list[float]:
    if analysis.pair_scores.comparison.alignment is not None:
        # Two vocabularies are not distributions over the same things.
        return [math.nan] * analysis.scored.rows
    return [js_between(item) for item in tokens(analysis)]


def _split(analysis: ResponseAnalysis) -> list[SplitBytes]:
    found: list[SplitBytes] = []
    for row in range(analysis.token_count):
        if analysis.cuts[row] or (row and analysis.cuts[row - 1]):
            found.append(SplitBytes(position=row, bytes=analysis.scored.piece(row).hex()))
    return found

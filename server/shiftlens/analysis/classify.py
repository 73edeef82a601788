"""A class for every position, and counts of them.

Lin et al. 2023 (arXiv 2312.01552), section 2: a position is unshifted where the token is the base model's first
choice, marginal where it is the second or third, shifted otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import or_
from typing import TypeVar

from shiftlens.analysis.aligntds import shown_top_ranks
from shiftlens.analysis.kinds import kinds_of
from shiftlens.analysis.model import PartPositions, ResponseAnalysis, ShiftClass, Summary
from shiftlens.analysis.parts import ends_response, part_positions
from shiftlens.analysis.ranks import classes_of, worst_rank
from shiftlens.analysis.token_kind import TokenKind
from shiftlens.options.pair import SCORE_PARTS, ClassifyOptions
from shiftlens.scores.columns import UNKNOWN_RANK, int32
from shiftlens.scores.records import AnyScores, LossMask, ScoredResponse
from shiftlens.text.source_map import SourceMap
from shiftlens.text.spans import token_spans
from shiftlens.transcripts.model import Response

LOSS_MASKS = (LossMask.COUNTED, LossMask.LEFT_OUT, LossMask.UNKNOWN)
"""In the order in which views tell them."""

_Of = TypeVar("_Of")


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the positions that have a class, each from 0 to 1; all 0 where there are no such positions."""

    tokens: int
    unshifted: float
    marginal: float
    shifted: float

    def percent(self, shift: ShiftClass) -> str:
        """The share of a class in words; a dash where no position has a class."""
        return f"{getattr(self, shift.label):.1%}" if self.tokens else "–"


def build(
    response: Response, scored: AnyScores, classify_options: ClassifyOptions, *, compat: str = ""
) -> ResponseAnalysis:
    """Classify the positions of a scored response, or the first of them, and find their parts and places in the file.

    With compat="aligntds" the class follows the reference: the 0-based index, among the base model's first 10
    strings, of the aligned model's first (TR@10). In scores of one model alone it follows that model's own rank of the
    response's token, whatever the options say. Raises ValueError where the columns don't fit the text.
    """
    text, source = response.passage(scored.parts)
    byte_ends = scored.byte_ends
    spans = token_spans(text, byte_ends, source)
    parts = part_positions(response.turn.parts, scored.parts, byte_ends)
    classes = classes_of(class_ranks(scored, classify_options.classify_by, compat), classify_options.thresholds)
    has_end = ends_response(response.turn.parts, scored.parts, byte_ends) and scored.ids[-1] == scored.aligned.end_id
    kinds = kinds_of(
        text, spans.text_ends, scored.aligned.special, parts, has_end=has_end, word_lists=classify_options.word_lists
    )
    return ResponseAnalysis(
        response=response,
        scored=scored,
        text=text,
        source=source,
        classes=classes,
        off_greedy=bytes(rank not in (UNKNOWN_RANK, 1) for rank in int32(scored.aligned.rank)),
        starts=spans.starts,
        ends=spans.ends,
        text_ends=spans.text_ends,
        cuts=spans.cuts,
        summary=_summary(classes, scored, parts, kinds),
        parts=parts,
        has_end=has_end,
        kinds=kinds,
    )


def in_own_text(analysis: ResponseAnalysis) -> ResponseAnalysis:
    """The same with places in its own text instead of the file's."""
    source = SourceMap.verbatim(0, len(analysis.text))
    spans = token_spans(analysis.text, analysis.scored.byte_ends, source)
    return replace(analysis, source=source, starts=spans.starts, ends=spans.ends)


def class_ranks(scored: AnyScores, classify_by: str, compat: str = "") -> Sequence[int]:
    """The rank that each position's class follows, as a column of ranks has it (`columns.rank_of`)."""
    if isinstance(scored, ScoredResponse):
        return base_ranks(scored, classify_by, compat)
    return int32(scored.aligned.rank)


def boundary_of(scored: AnyScores) -> bytes:
    """uint8 [n], 1 where the boundary of prompt and response may explain a shift."""
    return scored.comparison.boundary if isinstance(scored, ScoredResponse) else bytes(scored.rows)


def base_ranks(scored: ScoredResponse, classify_by: str, compat: str = "") -> Sequence[int]:
    """The base rank that each position's class follows, as a column of ranks has it (`columns.rank_of`)."""
    if compat == "aligntds":
        return [index + 1 for index in shown_top_ranks(scored)]
    own = ranks_of_response(scored)
    if classify_by != "aligned-top1":
        return own
    tops = int32(scored.comparison.base_rank_of_aligned_top)
    # In a pair of two vocabularies, the aligned model's choice may not be one token of the base model.
    return tops if scored.comparison.alignment is None else [rank or own[row] for row, rank in enumerate(tops)]


def ranks_of_response(scored: ScoredResponse) -> Sequence[int]:
    """The base rank at each position; in a group of tokens, the worst of the base model's."""
    ranks, alignment = int32(scored.base.rank), scored.comparison.alignment
    if alignment is None:
        return ranks
    firsts = int32(alignment.first)
    found: list[int] = []
    for row in range(scored.rows):
        is_new = row == 0 or firsts[row] != firsts[row - 1]
        found.append(worst_rank(ranks[at] for at in alignment.base_rows(row)) if is_new else found[-1])
    return found


def realigned_positions(scored: AnyScores) -> bytes:
    """uint8 [n], 1 where a position is not exactly one token of the base model; empty in a pair of one vocabulary."""
    alignment = scored.comparison.alignment if isinstance(scored, ScoredResponse) else None
    return b"" if alignment is None else bytes(not alignment.is_one_to_one(row) for row in range(scored.rows))


def summarise(classes: bytes, boundary: bytes, realigned: bytes = b"") -> Summary:
    """Count positions by class; the columns are uint8 [n]. Those that are `boundary` or `realigned` are flagged."""
    marks = bytes(map(or_, boundary, realigned)) if realigned else boundary
    flagged = bytes(shift for shift, flag in zip(classes, marks, strict=True) if flag)
    return Summary(
        tokens=len(classes),
        unshifted=classes.count(ShiftClass.UNSHIFTED),
        marginal=classes.count(ShiftClass.MARGINAL),
        shifted=classes.count(ShiftClass.SHIFTED),
        flagged=len(flagged),
        flagged_unshifted=flagged.count(ShiftClass.UNSHIFTED),
        flagged_marginal=flagged.count(ShiftClass.MARGINAL),
        flagged_shifted=flagged.count(ShiftClass.SHIFTED),
        realigned=sum(realigned),
        unknown=classes.count(ShiftClass.UNKNOWN),
    )


def _summary(classes: bytes, scored: AnyScores, parts: Sequence[PartPositions], kinds: bytes) -> Summary:
    realigned, boundary = realigned_positions(scored), boundary_of(scored)

    def of(first: int, end: int) -> Summary:
        return summarise(classes[first:end], boundary[first:end], realigned[first:end])

    def where(column: bytes, value: int) -> Summary:
        chosen = column.translate(bytes(each == value for each in range(256)))
        return summarise(*(bytes(compress(every, chosen)) for every in (classes, boundary, realigned)))

    masks = scored.comparison.loss_mask if isinstance(scored, ScoredResponse) else b""
    return replace(
        of(0, scored.rows),
        by_part=_by_kind((part.kind, of(part.first, part.end)) for part in parts if part.end > part.first),
        by_kind=tuple((kind, where(kinds, kind)) for kind in TokenKind if kind in kinds),
        by_loss_mask=tuple((mask, where(masks, mask)) for mask in LOSS_MASKS if mask in masks),
    )


def _by_kind(found: Iterable[tuple[str, Summary]]) -> tuple[tuple[str, Summary], ...]:
    """One summary for each kind of part."""
    kinds: dict[str, list[Summary]] = {}
    for kind, summary in found:
        kinds.setdefault(kind, []).append(summary)
    order = {kind: index for index, kind in enumerate(SCORE_PARTS)}
    names = sorted(kinds, key=lambda kind: order.get(kind, len(order)))
    return tuple((kind, combine(kinds[kind])) for kind in names)


def combined(summaries: Iterable[Summary]) -> Summary:
    """As `combine`, of any number of summaries, of which a few are held at a time."""
    found = Summary(0, 0, 0, 0)
    for summary in summaries:
        found = combine((found, summary))
    return found


def combine(summaries: Iterable[Summary]) -> Summary:
    """The summary of all their positions together."""
    every = tuple(summaries)
    by_part = [part for summary in every for part in summary.by_part]
    return Summary(
        tokens=sum(s.tokens for s in every),
        unshifted=sum(s.unshifted for s in every),
        marginal=sum(s.marginal for s in every),
        shifted=sum(s.shifted for s in every),
        flagged=sum(s.flagged for s in every),
        flagged_unshifted=sum(s.flagged_unshifted for s in every),
        flagged_marginal=sum(s.flagged_marginal for s in every),
        flagged_shifted=sum(s.flagged_shifted for s in every),
        realigned=sum(s.realigned for s in every),
        unknown=sum(s.unknown for s in every),
        by_part=_by_kind(by_part) if by_part else (),
        by_kind=_combined(TokenKind, [each for summary in every for each in summary.by_kind]),
        by_loss_mask=_combined(LOSS_MASKS, [each for summary in every for each in summary.by_loss_mask]),
    )


def _combined(order: Iterable[_Of], found: Sequence[tuple[_Of, Summary]]) -> tuple[tuple[_Of, Summary], ...]:
    """One summary for each thing that some are of."""
    every = {thing: [summary for of, summary in found if of == thing] for thing in order}
    return tuple((thing, combine(summaries)) for thing, summaries in every.items() if summaries)


def shares(summary: Summary) -> Shares:
    """Shares of all positions that have a class."""
    return _shares(summary.unshifted, summary.marginal, summary.shifted)


def shares_without_flagged(summary: Summary) -> Shares:
    """Shares of those that are not flagged `boundary`, nor realigned."""
    return _shares(
        summary.unshifted - summary.flagged_unshifted,
        summary.marginal - summary.flagged_marginal,
        summary.shifted - summary.flagged_shifted,
    )


def _shares(unshifted: int, marginal: int, shifted: int) -> Shares:
    tokens = unshifted + marginal + shifted
    whole = tokens or 1
    return Shares(tokens, unshifted / whole, marginal / whole, shifted / whole)

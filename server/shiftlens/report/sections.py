"""What the template shows, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from shiftlens.analysis.classify import Shares, shares, shares_without_flagged
from shiftlens.analysis.contract import prompt_of
from shiftlens.analysis.facts import capitalised
from shiftlens.analysis.model import CLASSES, Analysis, ResponseAnalysis, ShiftClass, Summary, Token
from shiftlens.analysis.profile import by_tenth, most_often_shifted
from shiftlens.analysis.words import part_words, trained_words, turn_words
from shiftlens.report.scores import Pieces, Span, spans_and_scores
from shiftlens.scores.records import ScoredResponse
from shiftlens.text.visible import visible_piece

COMMON_TOKENS = 12
CHART_HEIGHT = 80


@dataclass(frozen=True, slots=True)
class SummaryTable:
    """Counts and shares by class, `rest` those without the positions flagged `boundary` where there are any.

    `unknown` positions have no class. `parts` has the shares of each kind of part by its name, where not all is
    answers; `kinds` those of each kind of token, with its part of all that is shifted, where there are several;
    `loss_masks` those by what a chat template marks for training.
    `labels` are the words for the classes, which are others (`alone`) in scores of one model alone.
    """

    tokens: int
    unknown: int
    flagged: int
    counts: dict[str, int]
    all: Shares
    rest: Shares | None
    parts: dict[str, Shares]
    kinds: dict[str, tuple[Shares, float]]
    loss_masks: dict[str, Shares]
    labels: dict[str, str]

    @classmethod
    def of(cls, summary: Summary, *, alone: bool = False) -> SummaryTable:
        counts = {shift.label: int(getattr(summary, shift.label)) for shift in reversed(CLASSES)}
        rest = shares_without_flagged(summary) if summary.flagged else None
        by_part = summary.by_part if summary.is_of_parts else ()
        parts = {part_words(kind): shares(part) for kind, part in by_part}
        by_kind = summary.by_kind if len(summary.by_kind) > 1 else ()
        kinds = {kind.words: (shares(of), of.shifted / (summary.shifted or 1)) for kind, of in by_kind}
        masks = {mask.words: shares(of) for mask, of in summary.by_loss_mask}
        whole, labels = shares(summary), labels_of(alone=alone)
        return cls(summary.tokens, summary.unknown, summary.flagged, counts, whole, rest, parts, kinds, masks, labels)


@dataclass(frozen=True, slots=True)
class Bar:
    """A tenth of a response: its shares, and the heights of their bars in the drawing's units."""

    shares: Shares
    shifted: float
    marginal: float


@dataclass(frozen=True, slots=True)
class CommonToken:
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class ResponseSection:
    """One response. `key` names it in the page, `turn` says which it is in a file of several conversations; `alone`:
    it has scores of one model alone."""

    key: str
    number: int
    turn: str
    prompt: str
    alone: bool
    summary: SummaryTable
    spans: list[Span]
    scores: Markup
    bars: list[Bar]
    common: list[CommonToken]
    prefixes: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    trained: str

    @classmethod
    def of(
        cls,
        analysis: ResponseAnalysis,
        rows: Sequence[Token],
        of: Analysis,
        key: str,
        pieces: Pieces,
        as_json: Callable[[object], Markup],
    ) -> ResponseSection:
        spans, scores = spans_and_scores(analysis, rows, of, pieces)
        scored = analysis.scored
        return cls(
            key=key,
            number=analysis.response.index + 1,
            turn=turn_words(analysis.response, of.transcript),
            prompt=prompt_of(analysis.response),
            alone=analysis.is_of_one_model,
            summary=SummaryTable.of(analysis.summary, alone=analysis.is_of_one_model),
            spans=[shown(span) for span in spans],
            scores=as_json(scores),
            bars=[
                Bar(tenth, round(CHART_HEIGHT * tenth.shifted, 2), round(CHART_HEIGHT * tenth.marginal, 2))
                for tenth in by_tenth(analysis)
            ],
            common=[
                CommonToken(visible_piece(piece), count)
                for piece, count in most_often_shifted((analysis,), COMMON_TOKENS)
            ],
            prefixes=(("base", scored.base.prefix_text), ("aligned", scored.aligned.prefix_text))
            if isinstance(scored, ScoredResponse)
            else (),
            notes=analysis.notes,
            trained=capitalised(trained_words(analysis.response)),
        )


def labels_of(*, alone: bool) -> dict[str, str]:
    """The words for the classes by their names, in scores of a pair or of one model alone."""
    return {shift.label: shift.own_label if alone else shift.label for shift in CLASSES}


def shown(span: Span) -> Span:
    """With a sign for what has no shape that a colour could be seen on: the end, and a shifted line break."""
    text = span.text.replace("\r\n", "\n")
    if span.is_end:
        text = "■"
    elif span.shift in (ShiftClass.MARGINAL, ShiftClass.SHIFTED):
        text = text.replace("\n", "⏎\n")
    return replace(span, text=text)

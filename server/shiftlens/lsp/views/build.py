"""From the result of each response to what a document shows."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shiftlens.analysis.classify import build
from shiftlens.analysis.highlights import highlights
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.runs import runs
from shiftlens.lsp.documents.paints import Paint, paints_now
from shiftlens.lsp.documents.store import DocumentAnalysis, ResponseResult
from shiftlens.lsp.views.semantic_tokens import paint
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.outcomes import Refusal, Result
from shiftlens.text.trail import Edits
from shiftlens.transcripts.model import Before, Response, Transcript, Turn


def build_view(
    before: DocumentAnalysis | None,
    results: Sequence[Result | None],
    *,
    version: int,
    text: str,
    transcript: Transcript,
    pair: PairSpec,
    score_options: ScoreOptions,
    classify_options: ClassifyOptions,
    edits: Edits | None = None,
) -> DocumentAnalysis:
    """The analysis of one version. Where a response has no scores yet it keeps the colours that `before` gave it.

    `edits` led from the text of `before` to this one; without them, all between the first and the last change counts
    as changed.
    """
    same = before is not None and (before.pair, before.score_options, before.classify_options) == (
        pair,
        score_options,
        classify_options,
    )
    old = before if same else None
    carried = paints_now(old.paints, edits or Edits.between(old.text, text)) if old is not None else ()
    comparison = _Comparison()
    shown: list[ResponseResult] = []
    paints: list[Paint] = []
    for index, (response, entry) in enumerate(zip(transcript.responses, results, strict=True)):
        earlier = old.results[index] if old is not None and index < len(old.results) else ResponseResult()
        item = _shown(response, entry, classify_options, score_options.compat, earlier, comparison)
        shown.append(item)
        paints += _paints(response, item, carried)
    if any(later.start < item.end for item, later in itertools.pairwise(paints)):
        paints = _in_order(paints)
    return DocumentAnalysis(
        version=version,
        text=text,
        transcript=transcript,
        pair=pair,
        score_options=score_options,
        classify_options=classify_options,
        results=tuple(shown),
        paints=tuple(paints),
    )


def _shown(
    response: Response,
    result: Result | None,
    options: ClassifyOptions,
    compat: str,
    earlier: ResponseResult,
    comparison: _Comparison,
) -> ResponseResult:
    """What is shown of a response. Of one that is as it was, nothing is made anew, however many others change."""
    if result is None:
        return ResponseResult()
    outcome = result.outcome
    if isinstance(outcome, Refusal):
        return ResponseResult(refusal=outcome)
    same = earlier.analysis
    if same is not None and same.scored is outcome and comparison.is_same(same.response, response):
        return earlier if earlier.partial == result.partial else replace(earlier, partial=result.partial)
    analysis = build(response, outcome, options, compat=compat)
    paints = tuple(paint(item) for item in highlights(analysis) if item.shift is not ShiftClass.UNKNOWN)
    return ResponseResult(analysis, partial=result.partial, paints=paints, runs=runs(analysis))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Whether responses are what they were. Conversations are compared once, however many responses they have.

    `alike` has the number of equal turns that two conversations, by their identities, begin with.
    """

    alike: dict[tuple[int, int], int] = field(default_factory=dict)

    def is_same(self, before: Response, now: Response) -> bool:
        """Whether nothing of a response is new, the logprobs that the file holds of it included."""
        return (
            before.turn.saved == now.turn.saved
            and replace(before, context=()) == replace(now, context=())
            and self._is_same_context(before.context, now.context)
        )

    def _is_same_context(self, before: Sequence[Turn], now: Sequence[Turn]) -> bool:
        if not (isinstance(before, Before) and isinstance(now, Before)):
            return before == now
        key = id(before.turns), id(now.turns)
        if key not in self.alike:
            pairs = zip(before.turns, now.turns, strict=False)
            self.alike[key] = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return before.end == now.end <= self.alike[key]


def _in_order(paints: Sequence[Paint]) -> list[Paint]:
    """By place in the file, where responses lie one within another; of two at one place, the first."""
    found: list[Paint] = []
    for item in sorted(paints, key=lambda item: item.start):
        if not found or item.start >= found[-1].end:
            found.append(item)
    return found


def _paints(response: Response, result: ResponseResult, carried: Sequence[Paint]) -> tuple[Paint, ...]:
    own = result.paints
    if result.is_final:
        return own
    still: list[Paint] = []
    for start, end in _without_scores(response, result.analysis):
        first = bisect_left(carried, start, key=lambda item: item.start)
        past = bisect_left(carried, end, key=lambda item: item.start)
        still += (item for item in carried[first:past] if item.end <= end)
    return tuple(sorted((*own, *still), key=lambda item: item.start)) if still else own


def _without_scores(response: Response, analysis: ResponseAnalysis | None) -> list[tuple[int, int]]:
    """The spans of the file that are still to be scored: each part from its first character without scores on."""
    if analysis is None:
        return [(response.turn.source_start, response.turn.source_end)]
    reached = analysis.text_ends[-1] if analysis.text_ends else 0
    return [
        analysis.source.span(max(reached, part.text_start), part.text_end)
        for part in analysis.parts
        if reached < part.text_end
    ]

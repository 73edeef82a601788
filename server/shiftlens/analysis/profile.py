"""Where in a response alignment shifts, and which tokens it shifts most often."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from shiftlens.analysis.classify import Shares, boundary_of, combine, shares, summarise
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass, Summary
from shiftlens.transcripts.model import Trained

TENTHS = 10


def by_tenth(analysis: ResponseAnalysis) -> tuple[Shares, ...]:
    """Shares of each tenth of the positions, first to last; some are empty in a response of fewer than ten."""
    classes, boundary = analysis.classes, boundary_of(analysis.scored)
    return tuple(
        shares(summarise(classes[first:past], boundary[first:past]))
        for first, past in itertools.pairwise(tenth_edges(analysis.scored.rows))
    )


def tenth_edges(rows: int) -> tuple[int, ...]:
    """Where the tenths of so many positions begin, and where the last one ends."""
    return tuple(-(-rows * tenth // TENTHS) for tenth in range(TENTHS + 1))


def by_training(analyses: Sequence[ResponseAnalysis]) -> tuple[tuple[Trained, Summary], ...]:
    """Counts of the responses that are trained on, in part and not, and of those of which the file does not say.

    Nothing where it says it of none.
    """
    order = (Trained.YES, Trained.PARTLY, Trained.NO, Trained.UNKNOWN)
    found = {trained: [a.summary for a in analyses if a.response.turn.trained is trained] for trained in order}
    if len(found[Trained.UNKNOWN]) == len(analyses):
        return ()
    return tuple((trained, combine(summaries)) for trained, summaries in found.items() if summaries)


def most_often_shifted(analyses: Iterable[ResponseAnalysis], limit: int) -> tuple[tuple[bytes, int], ...]:
    """The bytes of the tokens that are shifted most often, with how often; of equal ones the first to appear."""
    found: Counter[bytes] = Counter()
    for analysis in analyses:
        scored = analysis.scored
        for token, shift in zip(scored.ids, analysis.classes, strict=True):
            if shift == ShiftClass.SHIFTED:
                found[scored.aligned.pieces.get(token, b"")] += 1
    return tuple(found.most_common(limit))

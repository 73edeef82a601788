"""The figures of many responses together: bars of shares, and curves over positions."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.analysis.classify import Shares, shares
from shiftlens.analysis.corpus import Bin, CorpusSummary
from shiftlens.analysis.curves import RankHistogram
from shiftlens.analysis.model import ShiftClass
from shiftlens.analysis.words import positions_words
from shiftlens.report.figures import BarChart, LineChart, bar_chart, line_chart
from shiftlens.text.visible import visible_piece

_BARS_OF_TOKENS = 12
_LONGEST_LABEL = 7


def share_bars(corpus: CorpusSummary, ranks: RankHistogram | None = None) -> list[BarChart]:
    """Shares by tenth, position, kind and token, and the base ranks where they were counted."""
    kinds = []
    for kind, of in corpus.whole.by_kind:
        found = shares(of)
        pieces = [("shifted", found.shifted), ("marginal", found.marginal)]
        kinds.append((kind.label, _told(kind.words, found), pieces))
    return [
        bar_chart(
            "Shifted and marginal share by tenth of the response",
            [_share_bar(f"tenth {of.first + 1}", str(of.first + 1), of) for of in corpus.by_tenth],
        ),
        bar_chart(
            "Shifted and marginal share by position in the response, in bins that double",
            [_share_bar(f"position {label}", f"{of.first + 1:,}", of) for label, of in _by_position(corpus)],
        ),
        *([] if ranks is None else [_of_ranks(ranks)]),
        bar_chart("Shifted and marginal share by kind of token", kinds),
        bar_chart(
            "Shift ratio of the tokens shifted most often: of the times that each is said, how many are shifted",
            [
                (
                    visible_piece(each.piece, limit=_LONGEST_LABEL),
                    f"{visible_piece(each.piece)}: {each.shifted:,} of {each.said:,} shifted",
                    [("shifted", each.ratio)],
                )
                for each in corpus.tokens[:_BARS_OF_TOKENS]
            ],
        ),
    ]


def curves(corpus: CorpusSummary) -> list[LineChart]:
    """Mean KL, Jensen-Shannon divergence and difference of logprobs by position, those that are known anywhere."""
    bins = corpus.by_position
    last = _by_position(corpus)[-1][0] if bins else ""
    where = "by position, in bins that double"
    of: list[tuple[str, str, Sequence[float]]] = [
        (f"Mean KL(aligned || base) in nats, {where}", "kl", [each.mean_kl for each in bins]),
        (f"Mean Jensen-Shannon divergence, at least (nats), {where}", "js", [each.mean_js for each in bins]),
        (f"Mean logprob, aligned less base (nats), {where}", "difference", [each.mean_difference for each in bins]),
    ]
    made = (line_chart(title, look, values, ("", last)) for title, look, values in of)
    return [chart for chart in made if chart is not None]


def _of_ranks(ranks: RankHistogram) -> BarChart:
    positions = sum(each.positions for each in ranks.bins) or 1
    bars = []
    for each in ranks.bins:
        told = f"base rank {_range(each.first, each.past)}: {each.positions:,} positions"
        bars.append((_short(each.first, each.past), told, [("", each.positions / positions)]))
    inexact = f"; {ranks.inexact:,} more have no exact rank" if ranks.inexact else ""
    return bar_chart(f"Part of all positions by base rank{inexact}", bars)


def _by_position(corpus: CorpusSummary) -> list[tuple[str, Bin]]:
    return [(_range(of.first + 1, None if of.past is None else of.past + 1), of) for of in corpus.by_position]


def _share_bar(name: str, label: str, of: Bin) -> tuple[str, str, list[tuple[str, float]]]:
    found = of.shares
    told = _told(name, found)
    return label, told, [("shifted", found.shifted), ("marginal", found.marginal)]


def _told(name: str, of: Shares) -> str:
    shifted, marginal = (of.percent(shift) for shift in (ShiftClass.SHIFTED, ShiftClass.MARGINAL))
    return f"{name}: {shifted} shifted, {marginal} marginal, {positions_words(of.tokens)} with a class"


def _range(first: int, past: int | None) -> str:
    """Whole numbers from `first` up to but without `past`."""
    if past is None:
        return f"{first:,}+"
    return f"{first:,}" if past == first + 1 else f"{first:,}–{past - 1:,}"


def _short(first: int, past: int | None) -> str:
    """The same in thousands where there are any, to stand below a bar."""
    end = None if past is None else past - 1
    low, high = (f"{n // 1000}k" if n is not None and n >= 1000 else str(n) for n in (first, end))
    return f"{low}+" if end is None else low if first == end else f"{low}–{high}"

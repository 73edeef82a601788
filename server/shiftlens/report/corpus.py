"""All responses of a report together, by position, turn, file and pair, as the template shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.analysis.classify import Shares, shares
from shiftlens.analysis.corpus import Bin, CorpusSummary
from shiftlens.analysis.facts import fixed
from shiftlens.analysis.model import Summary
from shiftlens.text.visible import visible_piece

TOKENS = 30


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A row of a table of shares; `kl` is a mean in words, "" in a table without."""

    name: str
    shares: Shares
    kl: str = ""


@dataclass(frozen=True, slots=True)
class ShareTable:
    """Shares by something, which `title` names."""

    title: str
    with_kl: bool
    rows: tuple[ShareRow, ...]


@dataclass(frozen=True, slots=True)
class RatioRow:
    """A token with its shift ratio."""

    text: str
    shifted: int
    said: int
    ratio: float


@dataclass(frozen=True, slots=True)
class CorpusTables:
    """The tables, and the tokens that are shifted most often."""

    tables: tuple[ShareTable, ...]
    tokens: tuple[RatioRow, ...]

    @classmethod
    def of(cls, corpus: CorpusSummary) -> CorpusTables:
        tables = [
            ShareTable("tenth of the response", True, tuple(_bin(str(b.first + 1), b) for b in corpus.by_tenth)),
            ShareTable("position", True, tuple(_bin(_range(b), b) for b in corpus.by_position)),
        ]
        named = (
            ("turn", [(str(turn + 1), of) for turn, of in corpus.by_turn]),
            ("file", list(corpus.by_file)),
            ("base and aligned model", [(f"{base}, {aligned}", of) for (base, aligned), of in corpus.by_pair]),
        )
        tables += (ShareTable(title, False, _rows(found)) for title, found in named if len(found) > 1)
        tokens = (RatioRow(visible_piece(t.piece), t.shifted, t.said, t.ratio) for t in corpus.tokens[:TOKENS])
        return cls(tuple(tables), tuple(tokens))


def _rows(found: Iterable[tuple[str, Summary]]) -> tuple[ShareRow, ...]:
    return tuple(ShareRow(name, shares(summary)) for name, summary in found)


def _bin(name: str, of: Bin) -> ShareRow:
    return ShareRow(name, of.shares, fixed(of.mean_kl, 3))


def _range(of: Bin) -> str:
    """Positions from 1, as they are shown."""
    if of.past is None:
        return f"from {of.first + 1:,}"
    return f"{of.first + 1:,}" if of.past == of.first + 1 else f"{of.first + 1:,} to {of.past:,}"

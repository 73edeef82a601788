"""All responses of a report or of a corpus together, by position, turn, file and pair, as the template shows them."""

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
    """A row of a table of shares; `kl` and `js` are means in words, "" in a table without."""

    name: str
    shares: Shares
    kl: str = ""
    js: str = ""


@dataclass(frozen=True, slots=True)
class ShareTable:
    """Shares by something, which `title` names; `more` says how many rows are left out."""

    title: str
    rows: tuple[ShareRow, ...]
    with_kl: bool = False
    with_js: bool = False
    more: int = 0


@dataclass(frozen=True, slots=True)
class RatioRow:
    """A token with its shift ratio."""

    text: str
    shifted: int
    said: int
    ratio: float


@dataclass(frozen=True, slots=True)
class CorpusTables:
    """The tables, and the tokens that are shifted most often, with how many more there are."""

    tables: tuple[ShareTable, ...]
    tokens: tuple[RatioRow, ...]
    more_tokens: int

    @classmethod
    def of(cls, corpus: CorpusSummary, *, most_tokens: int = TOKENS, most_files: int | None = None) -> CorpusTables:
        """Those of a corpus, with so many tokens and files (None: all)."""
        with_js = any(found.with_js for found in corpus.by_tenth)
        tenths = tuple(_bin(str(found.first + 1), found) for found in corpus.by_tenth)
        positions = tuple(_bin(_range(found), found) for found in corpus.by_position)
        tables = [
            ShareTable("tenth of the response", tenths, with_kl=True, with_js=with_js),
            ShareTable("position", positions, with_kl=True, with_js=with_js),
        ]
        named = (
            ("turn", [(str(turn + 1), of) for turn, of in corpus.by_turn]),
            ("file", list(corpus.by_file)),
            ("base and aligned model", [(f"{base}, {aligned}", of) for (base, aligned), of in corpus.by_pair]),
        )
        for title, found in named:
            shown = found[:most_files] if title == "file" else found
            if len(found) > 1:
                tables.append(ShareTable(title, _rows(shown), more=len(found) - len(shown)))
        listed = corpus.tokens[:most_tokens]
        tokens = tuple(RatioRow(visible_piece(t.piece), t.shifted, t.said, t.ratio) for t in listed)
        return cls(tuple(tables), tokens, len(corpus.tokens) - len(tokens))


def _rows(found: Iterable[tuple[str, Summary]]) -> tuple[ShareRow, ...]:
    return tuple(ShareRow(name, shares(summary)) for name, summary in found)


def _bin(name: str, of: Bin) -> ShareRow:
    return ShareRow(name, of.shares, fixed(of.mean_kl, 3), fixed(of.mean_js, 4))


def _range(of: Bin) -> str:
    """Positions from 1, as they are shown."""
    if of.past is None:
        return f"from {of.first + 1:,}"
    return f"{of.first + 1:,}" if of.past == of.first + 1 else f"{of.first + 1:,} to {of.past:,}"

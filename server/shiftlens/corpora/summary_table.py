"""The summary of a corpus as rows of one table, with all that its JSON has (docs/corpora.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shiftlens.analysis.classify import Shares, shares, shares_without_flagged
from shiftlens.analysis.corpus import Bin, TokenRatio
from shiftlens.analysis.json_values import finite
from shiftlens.analysis.model import CLASSES, Summary
from shiftlens.analysis.position_table import Column, Row, Type, Value
from shiftlens.corpora.record import OWN_RANK
from shiftlens.corpora.summary import RowsSummary

SCHEMA = "shiftlens-corpus-summary-table/1"

_Values = Mapping[str, Value]


def _columns(type_: Type, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, type_) for name in names)


_SHARES = ("unshifted_share", "marginal_share", "shifted_share")

COLUMNS: tuple[Column, ...] = (
    *_columns("text", "table", "part", "kind", "loss_mask"),
    *_columns("integer", "first", "past", "turn"),
    *_columns("text", "file", "base", "aligned", "text", "bytes"),
    *_columns("integer", "tokens", "unshifted", "marginal", "shifted", "unknown", "flagged", "realigned"),
    *_columns("number", *_SHARES),
    *_columns("integer", "tokens_without_flagged"),
    *_columns("number", *(f"{name}_without_flagged" for name in _SHARES)),
    *_columns("integer", "with_kl"),
    *_columns("number", "mean_kl"),
    *_columns("integer", "with_js"),
    *_columns("number", "mean_js_at_least"),
    *_columns("integer", "said"),
    *_columns("number", "ratio"),
    *_columns("integer", "responses", "refused", "not_scored", "one_model", "different_tokens_shifted"),
    *_columns("text", "classes_by"),
)
"""The columns, in their order. A row has values in those that its table has; the others are empty."""


def summary_rows(found: RowsSummary, limit: int) -> Iterator[Row]:
    """A row for each thing that is counted, with the first `limit` tokens."""
    for values in _rows(found, limit):
        yield tuple(values.get(column.name) for column in COLUMNS)


def _rows(found: RowsSummary, limit: int) -> Iterator[_Values]:
    corpus = found.corpus
    whole, *parts_of_it = _of_summary({"table": "all"}, corpus.whole)
    yield {
        **whole,
        "responses": found.responses,
        "refused": found.refused,
        "not_scored": found.not_scored,
        "one_model": found.one_model,
        "classes_by": OWN_RANK if found.alone else None,
        "different_tokens_shifted": len(corpus.tokens),
    }
    yield from parts_of_it
    yield from (_of_bin("tenth", each) for each in corpus.by_tenth)
    yield from (_of_bin("position", each) for each in corpus.by_position)
    for turn, summary in corpus.by_turn:
        yield from _of_summary({"table": "turn", "turn": turn}, summary)
    for file, summary in corpus.by_file:
        yield from _of_summary({"table": "file", "file": file}, summary)
    for (base, aligned), summary in corpus.by_pair:
        yield from _of_summary({"table": "models", "base": base, "aligned": aligned}, summary)
    yield from (_of_token(token) for token in corpus.tokens[:limit])


def _of_summary(key: _Values, summary: Summary) -> Iterator[_Values]:
    """The counts of all its positions, then those of each part, kind and loss mask, which its JSON has as well."""
    yield {**key, **_counts(summary)}
    parts = summary.by_part if summary.is_of_parts else ()
    yield from ({**key, "part": kind, **_counts(of)} for kind, of in parts)
    yield from ({**key, "kind": kind.label, **_counts(of)} for kind, of in summary.by_kind)
    yield from ({**key, "loss_mask": mask.label, **_counts(of)} for mask, of in summary.by_loss_mask)


def _counts(summary: Summary) -> _Values:
    rest = shares_without_flagged(summary)
    names = ("tokens", "unshifted", "marginal", "shifted", "unknown", "flagged", "realigned")
    return {
        **{name: getattr(summary, name) for name in names},
        **_share_values(shares(summary)),
        "tokens_without_flagged": rest.tokens,
        **{f"{name}_without_flagged": share for name, share in _share_values(rest).items()},
    }


def _share_values(of: Shares) -> dict[str, float | None]:
    return {f"{shift.label}_share": getattr(of, shift.label) if of.tokens else None for shift in CLASSES}


def _of_bin(table: str, found: Bin) -> _Values:
    counts = ("first", "past", "tokens", "unshifted", "marginal", "shifted", "with_kl", "with_js")
    return {
        "table": table,
        **{name: getattr(found, name) for name in counts},
        **_share_values(found.shares),
        "mean_kl": finite(found.mean_kl),
        "mean_js_at_least": finite(found.mean_js),
    }


def _of_token(token: TokenRatio) -> _Values:
    return {
        "table": "token",
        "text": token.piece.decode("utf-8", "replace"),
        "bytes": token.piece.hex(),
        "shifted": token.shifted,
        "said": token.said,
        "ratio": token.ratio,
    }

"""A row for each position of a response: the columns of CSV, TSV, Parquet and data frames, in one place.

`docs/exports.md` says what each column means; `COLUMNS` has their names and types in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from shiftlens.analysis.aligntds import SHOWN, measures_at, shown_text
from shiftlens.analysis.divergence import js_between
from shiftlens.analysis.json_values import class_name, finite, loss_mask_value
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Token, TokenSide
from shiftlens.analysis.ranks import rank_number
from shiftlens.analysis.tokens import tokens
from shiftlens.scores.columns import Above, known_id

SCHEMA = "shiftlens-positions/1"

Type = Literal["text", "integer", "number", "flag"]
Value = str | int | float | bool | None
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name. Any value may be None: what is not known is left empty."""

    name: str
    type: Type


def columns_of(type_: Type, *names: str) -> tuple[Column, ...]:
    """Columns of one type."""
    return tuple(Column(name, type_) for name in names)


def _side_columns(side: str) -> tuple[Column, ...]:
    return (
        *columns_of("integer", f"{side}_id", f"{side}_rank", f"{side}_rank_above"),
        *columns_of("number", f"{side}_logprob", f"{side}_prob", f"{side}_entropy"),
        *columns_of("text", f"{side}_top"),
        *columns_of("number", f"{side}_top_prob"),
    )


COLUMNS: tuple[Column, ...] = (
    *columns_of("text", "file", "base_model", "aligned_model"),
    *columns_of("integer", "response", "conversation", "turn"),
    *columns_of("text", "label"),
    *columns_of("integer", "position", "id"),
    *columns_of("text", "token", "bytes"),
    *columns_of("integer", "start", "end"),
    *columns_of("text", "class", "kind", "part"),
    *columns_of("flag", "boundary", "special", "off_greedy", "end_of_response", "realigned", "shortened"),
    *columns_of("flag", "loss_mask"),
    *_side_columns("base"),
    *_side_columns("aligned"),
    *columns_of("integer", "base_rank_of_aligned_top"),
    *columns_of("number", "logprob_difference", "kl", "js_at_least", "jaccard_at_10"),
)
"""The columns of every table."""

ALIGNTDS_COLUMNS: tuple[Column, ...] = (
    *columns_of(
        "number",
        *("aligntds_kl", "aligntds_jaccard", "aligntds_ws", "aligntds_tr", "aligntds_tp", "aligntds_btp"),
        "aligntds_ndcg",
    ),
    *columns_of("text", "aligntds_token"),
)
"""What a table has behind these where the numbers of the AlignTDS code are asked for."""

_MEASURES = (f"KL@{SHOWN}", f"Jaccard@{SHOWN}", f"WS@{SHOWN}", f"TR@{SHOWN}", "TP", "BTP", "nDCG")


def columns(compat: str) -> tuple[Column, ...]:
    """The columns of a table of scores with this `compat`."""
    return (*COLUMNS, *ALIGNTDS_COLUMNS) if compat == "aligntds" else COLUMNS


def rows(file: str, of: Analysis, compat: str | None = None) -> Iterator[Row]:
    """The rows of all responses of a file that have scores, in the file's order: a value for each of
    `columns(compat)`.

    `compat` is that of the analysis unless one is given. Raises ValueError where numbers of the AlignTDS code are asked
    for and the scores were made without.
    """
    asked = of.score_options.compat if compat is None else compat
    names = of.model_names
    return (row for found in of.responses for row in rows_of_response(file, names, found, asked))


def rows_of_response(
    file: str,
    models: tuple[str | None, str | None],
    analysis: ResponseAnalysis,
    compat: str,
    of_tokens: Iterable[Token] | None = None,
) -> Iterator[Row]:
    """The rows of one response of a file, as `rows`; `models` are the names of base and aligned model, `of_tokens` all
    tokens of the response where they have been made already."""
    response = analysis.response
    before: Row = (file, *models)
    before = (*before, response.index, response.conversation, response.turn_index, response.label or None)
    for token in tokens(analysis) if of_tokens is None else of_tokens:
        own = (*before, *_place(token), *_side(token.base), *_side(token.aligned), *_both(token, analysis))
        yield (*own, *_reference(token, analysis)) if compat == "aligntds" else own


def logprob_difference(token: Token) -> float:
    """Logprob of the token under the aligned model less that under the base model, in nats; NaN where one is not
    known."""
    return math.nan if token.base is None else token.aligned.logprob - token.base.logprob


def _place(token: Token) -> Row:
    of_pair = token.base is not None
    return (
        token.index,
        known_id(token.id),
        token.text,
        token.piece.hex() if not token.is_end else None,
        token.start,
        token.end,
        class_name(token.shift),
        token.kind.label,
        token.part,
        token.boundary if of_pair else None,
        token.special if of_pair else None,
        token.off_greedy if of_pair or token.aligned.rank is not None else None,
        token.is_end,
        token.realigned is not None if of_pair else None,
        bool(token.shortened) if of_pair else None,
        None if token.loss_mask is None else loss_mask_value(token.loss_mask),
    )


def _side(side: TokenSide | None) -> Row:
    if side is None:
        return (None,) * 8
    top = side.top[0] if side.top else None
    return (
        None if side.id is None else known_id(side.id),
        rank_number(side.rank),
        side.rank.rank if isinstance(side.rank, Above) else None,
        finite(side.logprob),
        finite(math.exp(side.logprob)),
        finite(side.entropy),
        None if top is None else top.piece.decode("utf-8", "replace"),
        None if top is None else finite(top.prob),
    )


def _both(token: Token, analysis: ResponseAnalysis) -> Row:
    one_vocabulary = not analysis.is_of_one_model and analysis.pair_scores.comparison.alignment is None
    return (
        rank_number(token.base_rank_of_aligned_top),
        finite(logprob_difference(token)),
        finite(token.kl),
        finite(js_between(token) if one_vocabulary else math.nan),
        finite(token.jaccard),
    )


def _reference(token: Token, analysis: ResponseAnalysis) -> Row:
    if analysis.is_of_one_model:
        return (None,) * len(ALIGNTDS_COLUMNS)
    found = measures_at(analysis.pair_scores, token.index)
    return (*(finite(found[name]) for name in _MEASURES), shown_text(analysis.pair_scores, token.index))

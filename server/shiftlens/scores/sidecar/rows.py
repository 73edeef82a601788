"""From scores to the rows of a sidecar and back, without the loss of a bit.

A row is of one position. In a pair of one vocabulary it is of both models ("both"); in a pair of two, the rows of the
aligned model ("aligned") come first and those of the base model ("base") behind them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import cast

from shiftlens.scores.arrow.table import Column, blobs, lists, nothing, numbers
from shiftlens.scores.columns import float32, float32_column, int32, int32_column
from shiftlens.scores.records import Alignment, Comparison, ScoredResponse, SideScores
from shiftlens.scores.sidecar.bad import BadSidecar
from shiftlens.scores.sidecar.rest import Prefixes, Rest, SideRest, side_rest
from shiftlens.scores.sidecar.schema import FIELDS, OTHERS

_MISSING = (-1, -math.inf)
"""The candidate of a place in the list of candidates where there is none."""


def has_others(scored: ScoredResponse) -> bool:
    """Whether scores tell what a model gives the other one's candidates, which takes columns of their own."""
    return bool(scored.comparison.base_of_aligned_top or scored.comparison.aligned_of_base_top)


def to_rows(index: int, scored: ScoredResponse, before: Prefixes) -> tuple[int, dict[str, Column], Rest]:
    """How many rows a response has, their columns by name, and the rest. `before` is of the response before it."""
    base, aligned, comparison = scored.base, scored.aligned, scored.comparison
    two = comparison.alignment is not None
    own, other = aligned.rows, base.rows if two else 0
    rows = own + other
    columns = {
        "response": numbers(int32_column([index] * rows), rows),
        "position": numbers(int32_column(chain(range(own), range(other))), rows),
        "side": blobs([b"aligned"] * own + [b"base"] * other if two else [b"both"] * own),
        "text": blobs([_shown(aligned, row) for row in range(own)] + [_shown(base, row) for row in range(other)]),
    }
    columns |= _side_columns("aligned", aligned, 0, other)
    columns |= _side_columns("base", base, own if two else 0, 0)
    columns |= _ranks("base_rank_of_aligned_top", comparison.base_rank_of_aligned_top, 0, other)
    columns["kl"] = _padded(comparison.kl, 4, own, 0, other) if comparison.kl else _null("kl", rows)
    columns["boundary"] = _padded(comparison.boundary, 1, own, 0, other)
    for name, values in _groups(comparison.alignment):
        columns[name] = _padded(values, 4, own, 0, other) if two else _null(name, rows)
    columns |= _others(rows, "base_of_aligned_top", comparison.base_of_aligned_top, aligned)
    columns |= _others(rows, "aligned_of_base_top", comparison.aligned_of_base_top, base)
    rest = Rest(
        base=side_rest(base, _named(base), before.texts[0], before.ids[0]),
        aligned=side_rest(aligned, _named(aligned), before.texts[1], before.ids[1]),
        notes=comparison.notes,
        has_kl=bool(comparison.kl),
        aligned_rows=own if two else None,
        loss_mask=comparison.loss_mask,
    )
    return rows, columns, rest


def from_rows(rows: int, columns: dict[str, Column], rest: Rest, prefixes: Prefixes) -> ScoredResponse:
    """The scores of a response. Raises ValueError (BadSidecar with words) where the columns contradict each other."""
    own = rows if rest.aligned_rows is None else rest.aligned_rows
    if not 0 <= own <= rows:
        raise BadSidecar("has fewer rows than tokens")
    base_rows = range(rows) if rest.aligned_rows is None else range(own, rows)
    alignment = None
    if rest.aligned_rows is not None:
        alignment = Alignment(
            first=columns["group_first"].data[: 4 * own],
            base_first=columns["group_base_first"].data[: 4 * own],
            base_tokens=columns["group_base_tokens"].data[: 4 * own],
        )
    return ScoredResponse(
        base=_side("base", base_rows, columns, rest.base, prefixes.texts[0], prefixes.ids[0]),
        aligned=_side("aligned", range(own), columns, rest.aligned, prefixes.texts[1], prefixes.ids[1]),
        comparison=Comparison(
            base_rank_of_aligned_top=_ranks_from("base_rank_of_aligned_top", columns, range(own)),
            kl=columns["kl"].data[: 4 * own] if rest.has_kl else b"",
            boundary=columns["boundary"].data[:own],
            alignment=alignment,
            notes=rest.notes,
            base_of_aligned_top=_others_from("base_of_aligned_top", columns, rest.aligned.k),
            aligned_of_base_top=_others_from("aligned_of_base_top", columns, rest.base.k),
            loss_mask=rest.loss_mask,
        ),
    )


def _side_columns(name: str, side: SideScores, before: int, behind: int) -> dict[str, Column]:
    """The columns of one model, with rows that are not its own `before` and `behind` it."""
    n = side.rows
    rows = before + n + behind

    def placed(data: bytes, width: int) -> Column:
        return _padded(data, width, n, before, behind)

    tops = [_candidates(side, row) for row in range(n)]
    flat = [candidate for top in tops for candidate in top]
    lengths = [0] * before + [len(top) for top in tops] + [0] * behind
    mine = [False] * before + [True] * n + [False] * behind
    tokens = [None] * before + [side.pieces.get(token) for token in int32(side.ids)] + [None] * behind
    return {
        f"{name}_id": placed(side.ids, 4),
        f"{name}_token": blobs(tokens),
        f"{name}_byte_end": placed(side.byte_ends, 4),
        f"{name}_special": placed(side.special, 1),
        f"{name}_logprob": placed(side.logprob, 4),
        **_ranks(f"{name}_rank", side.rank, before, behind),
        f"{name}_entropy": placed(side.entropy, 4) if side.entropy else _null(f"{name}_entropy", rows),
        f"{name}_top_ids": lists(lengths, numbers(int32_column(t for t, _ in flat), len(flat)), mine),
        f"{name}_top_logprobs": lists(lengths, numbers(float32_column(p for _, p in flat), len(flat)), mine),
        f"{name}_top_tokens": lists(lengths, blobs([side.pieces.get(token) for token, _ in flat]), mine),
    }


def _candidates(side: SideScores, row: int) -> list[tuple[int, float]]:
    """The candidates of a row, without places at the end of the list that hold none."""
    span = slice(row * side.k, (row + 1) * side.k)
    found = list(zip(int32(side.top_ids)[span], float32(side.top_logprobs)[span], strict=True))
    while found and found[-1] == _MISSING:
        found.pop()
    return found


def _side(
    name: str, at: range, columns: dict[str, Column], rest: SideRest, text: str, ids: tuple[int, ...]
) -> SideScores:
    tops, masses, pieces = (columns[f"{name}_top_{what}"] for what in ("ids", "logprobs", "tokens"))
    if tops.offsets != masses.offsets or tops.offsets != pieces.offsets:
        raise BadSidecar("has a list of candidates with more ids than logprobs or tokens")
    every_id, every_mass = int32(cast(Column, tops.items).data), float32(cast(Column, masses.items).data)
    top_ids: list[int] = []
    top_logprobs: list[float] = []
    for row in at:
        first, end = tops.span(row)
        missing = rest.k - (end - first)
        if missing < 0:
            raise BadSidecar("has a list of candidates that is longer than it says")
        top_ids += [*every_id[first:end], *[_MISSING[0]] * missing]
        top_logprobs += [*every_mass[first:end], *[_MISSING[1]] * missing]
    own_ids = _cut(columns[f"{name}_id"], at, 4)
    named: dict[int, bytes] = dict(rest.pieces)
    tokens = columns[f"{name}_token"].values()
    pairs = chain(
        zip(int32(own_ids), (tokens[row] for row in at), strict=True),
        zip(every_id, cast(Column, pieces.items).values(), strict=True),
    )
    named.update((token, piece) for token, piece in pairs if piece is not None)
    return SideScores(
        model=rest.model,
        prefix_text=text,
        prefix_ids=ids,
        end_id=rest.end_id,
        k=rest.k,
        ids=own_ids,
        byte_ends=_cut(columns[f"{name}_byte_end"], at, 4),
        special=_cut(columns[f"{name}_special"], at, 1),
        logprob=_cut(columns[f"{name}_logprob"], at, 4),
        rank=_ranks_from(f"{name}_rank", columns, at),
        entropy=_cut(columns[f"{name}_entropy"], at, 4) if rest.has_entropy else b"",
        top_ids=int32_column(top_ids),
        top_logprobs=float32_column(top_logprobs),
        pieces=named,
        decoded=rest.decoded,
        full_context_rows=rest.full_context_rows,
        parts=rest.parts,
    )


def _others(rows: int, name: str, column: bytes, other: SideScores) -> dict[str, Column]:
    """What a model gives the other one's candidates, in the places of these."""
    if not column:
        return {name: _null(name, rows)}
    lengths = [len(_candidates(other, row)) for row in range(rows)]
    values = float32(column)
    flat = [values[row * other.k + at] for row, length in enumerate(lengths) for at in range(length)]
    return {name: lists(lengths, numbers(float32_column(flat), len(flat)))}


def _others_from(name: str, columns: dict[str, Column], k: int) -> bytes:
    found = columns.get(name)
    if found is None or not found.rows or all(found.is_null(row) for row in range(found.rows)):
        return b""
    values = float32(cast(Column, found.items).data)
    every: list[float] = []
    for row in range(found.rows):
        first, end = found.span(row)
        if end - first > k:
            raise BadSidecar("has a list of candidates that is longer than it says")
        every += [*values[first:end], *[math.nan] * (k - end + first)]
    return float32_column(every)


def _named(side: SideScores) -> dict[int, bytes]:
    """The token bytes that the rows of a model have."""
    named = {*int32(side.ids), *int32(side.top_ids)}
    return {token: piece for token, piece in side.pieces.items() if token in named}


def _shown(side: SideScores, row: int) -> bytes:
    piece = side.pieces.get(int32(side.ids)[row], b"")
    return piece.decode("utf-8", "replace").encode("utf-8")


def _ranks(name: str, column: bytes, before: int, behind: int) -> dict[str, Column]:
    """A column of ranks (see `columns.rank_of`) as one of exact ranks and one of bounds, null where there is none."""
    values = int32(column)
    rows = before + len(values) + behind
    found = {}
    for of, sign in ((name, 1), (f"{name}_above", -1)):
        mine = [0] * before + [max(0, sign * value) for value in values] + [0] * behind
        found[of] = numbers(int32_column(mine), rows, (value > 0 for value in mine))
    return found


def _ranks_from(name: str, columns: dict[str, Column], at: range) -> bytes:
    exact, above = int32(columns[name].data), int32(columns[f"{name}_above"].data)
    found: list[int] = []
    for row in at:
        if min(exact[row], above[row]) < 0 or (exact[row] and above[row]):
            raise BadSidecar("has a rank that is both exact and bounded, or below 0")
        found.append(exact[row] or -above[row])
    return int32_column(found)


def _groups(alignment: Alignment | None) -> Sequence[tuple[str, bytes]]:
    values = (b"", b"", b"") if alignment is None else (alignment.first, alignment.base_first, alignment.base_tokens)
    return list(zip(("group_first", "group_base_first", "group_base_tokens"), values, strict=True))


def _padded(data: bytes, width: int, rows: int, before: int, behind: int) -> Column:
    whole = bytes(width * before) + data + bytes(width * behind)
    valid = None if not before and not behind else [False] * before + [True] * rows + [False] * behind
    return numbers(whole, before + rows + behind, valid)


def _cut(column: Column, at: range, width: int) -> bytes:
    return column.data[width * at.start : width * at.stop]


def _null(name: str, rows: int) -> Column:
    return nothing(next(field for field in (*FIELDS, *OTHERS) if field.name == name), rows)

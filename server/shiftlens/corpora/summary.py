"""The summary of a corpus, from the rows of its output, which are taken one by one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shiftlens.analysis.classify import LOSS_MASKS, summarise
from shiftlens.analysis.contract import summary_json
from shiftlens.analysis.corpus import Bin, CorpusSummary, CorpusTally, Counted, TokenRatio
from shiftlens.analysis.json_values import Json, finite, loss_mask_value, piece_json
from shiftlens.analysis.model import ShiftClass, Summary
from shiftlens.analysis.token_kind import TokenKind
from shiftlens.corpora.record import OWN_RANK, Columns, CorpusRow, Numbers
from shiftlens.options.pair import SCORE_PARTS

SCHEMA = "shiftlens-corpus-summary/1"

K = TypeVar("K", bound=Hashable)

_CLASSES: dict[str | None, int] = {shift.label: shift for shift in ShiftClass} | {None: ShiftClass.UNKNOWN}


@dataclass(frozen=True, slots=True)
class RowsSummary:
    """What the rows of outputs are together; `refused` and `not_scored` are responses without positions.

    Classes by a base model's rank and by a model's own mean different things, so that they are not counted together:
    `alone` says that all are of the second kind, and `one_model` how many are and are left out of the counts.
    """

    corpus: CorpusSummary
    responses: int
    refused: int
    not_scored: int
    alone: bool = False
    one_model: int = 0


def summarise_rows(rows: Iterable[CorpusRow]) -> RowsSummary:
    """Put the rows of a corpus together. Memory grows with the number of files and of different tokens alone."""
    of_pairs, of_one_model = CorpusTally(), CorpusTally()
    found: Counter[str] = Counter()
    for row in rows:
        found[row.status] += 1
        if row.status == "scored":
            alone = row.classes_by == OWN_RANK
            found["one model"] += alone
            (of_one_model if alone else of_pairs).add(counted(row))
    alone = 0 < found["one model"] == found["scored"]
    return RowsSummary(
        corpus=(of_one_model if alone else of_pairs).summary(),
        responses=found.total() - found["one model"],
        refused=found["refused"],
        not_scored=found["not_scored"],
        alone=alone,
        one_model=0 if alone else found["one model"],
    )


def counted(row: CorpusRow) -> Counted:
    """What a summary takes of a row."""
    columns = row.tokens
    classes = bytes(_CLASSES[label] for label in columns.class_)
    return Counted(
        file=row.file,
        pair=(row.base, row.aligned),
        turn=row.turn,
        summary=_summary(columns, classes),
        classes=classes,
        kl=_known(columns.kl),
        js=_known(columns.js_at_least),
        said=_said(row, classes),
    )


def _summary(columns: Columns, classes: bytes) -> Summary:
    def of(positions: Sequence[int]) -> Summary:
        boundary, realigned = columns.boundary, columns.realigned
        return summarise(
            bytes(classes[at] for at in positions),
            bytes(boundary[at] for at in positions),
            bytes(realigned[at] for at in positions),
        )

    kinds = _positions_by(columns.kind)
    parts = _positions_by(columns.part)
    masks = _positions_by(columns.loss_mask or ())
    return replace(
        of(range(len(classes))),
        by_part=tuple((part, of(parts[part])) for part in SCORE_PARTS if part in parts),
        by_kind=tuple((kind, of(kinds[kind.label])) for kind in TokenKind if kind.label in kinds),
        by_loss_mask=tuple(
            (mask, of(masks[loss_mask_value(mask)])) for mask in LOSS_MASKS if loss_mask_value(mask) in masks
        ),
    )


def _positions_by(values: Sequence[K]) -> dict[K, list[int]]:
    found: dict[K, list[int]] = {}
    for at, value in enumerate(values):
        found.setdefault(value, []).append(at)
    return found


def _known(numbers: Numbers) -> list[float]:
    return [math.nan if value is None else value for value in numbers]


def _said(row: CorpusRow, classes: bytes) -> Iterator[tuple[bytes, int]]:
    split = {each.position: bytes.fromhex(each.bytes) for each in row.split}
    for at in range(len(classes) - row.has_end):
        if classes[at] != ShiftClass.UNKNOWN:
            yield split.get(at) or row.tokens.text[at].encode("utf-8"), classes[at]


def rows_summary_json(found: RowsSummary, files: Sequence[str], limit: int) -> Json:
    """The summary as JSON, with the first `limit` tokens. `files` are the outputs that it is of."""
    corpus = found.corpus
    return {
        "schema": SCHEMA,
        "outputs": list(files),
        "responses": found.responses,
        "refused": found.refused,
        "not_scored": found.not_scored,
        **({"classes_by": OWN_RANK} if found.alone else {}),
        **({"one_model": found.one_model} if found.one_model else {}),
        "summary": summary_json(corpus.whole),
        "by_tenth": [_bin_json(each) for each in corpus.by_tenth],
        "by_position": [_bin_json(each) for each in corpus.by_position],
        "by_turn": [{"turn": turn, **summary_json(summary)} for turn, summary in corpus.by_turn],
        "by_file": [{"file": file, **summary_json(summary)} for file, summary in corpus.by_file],
        "by_models": [
            {"base": base, "aligned": aligned, **summary_json(summary)} for (base, aligned), summary in corpus.by_pair
        ],
        "tokens": [_token_json(token) for token in corpus.tokens[:limit]],
        "different_tokens_shifted": len(corpus.tokens),
    }


def _bin_json(found: Bin) -> Json:
    return {
        "first": found.first,
        "past": found.past,
        "tokens": found.tokens,
        "unshifted": found.unshifted,
        "marginal": found.marginal,
        "shifted": found.shifted,
        "with_kl": found.with_kl,
        "mean_kl": finite(found.mean_kl),
        "with_js": found.with_js,
        "mean_js_at_least": finite(found.mean_js),
    }


def _token_json(token: TokenRatio) -> Json:
    return {**piece_json(token.piece), "said": token.said, "shifted": token.shifted, "ratio": token.ratio}

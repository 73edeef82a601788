"""The tokens of a response of several parts, and which of their rows are reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.scoring.inputs.parts import Passage, Stretch
from shiftlens.scoring.inputs.tokens import SplitEncoding, TextEncoder


@dataclass(frozen=True, slots=True)
class Reported:
    """The rows of a response's tokens that have a place in the file, ascending, and where each token ends.

    `byte_ends` count in the texts of the scored parts, joined; the tokens partition these.
    """

    rows: tuple[int, ...]
    byte_ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The tokens of a stretch. `reported` is None where all of them are.

    `apart` are the rows, beside the first, at which a part begins that was tokenised by itself.
    """

    encoding: SplitEncoding
    reported: Reported | None = None
    apart: tuple[int, ...] = ()


def laid_out(encoder: TextEncoder, stretch: Stretch, leading_ids: Sequence[int]) -> Layout:
    """Encode a stretch after its prefix, so that a token begins where a scored part begins.

    Raises ScoringError where a part has no tokens.
    """
    if stretch.is_one_text:
        return Layout(encoder.split(stretch.prefix, stretch.text, leading_ids=leading_ids))
    spans = _spans(stretch.passages)
    scored = [span for span, passage in zip(spans, stretch.passages, strict=True) if passage.part in stretch.scored]
    glued = {
        start: before_start
        for (start, _), (before_start, _), before in zip(spans[1:], spans, stretch.passages, strict=False)
        if before.part is None
    }
    data = stretch.text.encode("utf-8")
    cuts: list[int] = []
    while True:
        encoding = _encoded(encoder, stretch.prefix, data, cuts, leading_ids)
        missing = [start for start, _ in scored[1:] if start not in cuts and not _begins(encoding, start, data, glued)]
        if not missing:
            break
        cuts = sorted([*cuts, *missing])
    rows_at = {end: row + 1 for row, end in enumerate(encoding.byte_ends)}
    return Layout(encoding, _reported(encoding, scored), tuple(rows_at[cut] for cut in cuts))


def _spans(passages: Sequence[Passage]) -> list[tuple[int, int]]:
    """Where the passages stand in their joined text, in UTF-8 bytes."""
    spans, at = [], 0
    for passage in passages:
        length = len(passage.text.encode("utf-8"))
        spans.append((at, at + length))
        at += length
    return spans


def _encoded(
    encoder: TextEncoder, prefix: str, data: bytes, cuts: Sequence[int], leading_ids: Sequence[int]
) -> SplitEncoding:
    """The text after its prefix, what follows each cut tokenised by itself."""
    pieces = [data[a:b].decode("utf-8") for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    whole = encoder.split(prefix, pieces[0], leading_ids=leading_ids)
    for cut, piece in zip(cuts, pieces[1:], strict=True):
        more = encoder.encode(piece)
        whole = dataclasses.replace(
            whole,
            ids=(*whole.ids, *more.ids),
            byte_ends=(*whole.byte_ends, *(cut + end for end in more.byte_ends)),
            exact=whole.exact and more.exact,
        )
    return whole


def _begins(encoding: SplitEncoding, start: int, data: bytes, glued: dict[int, int]) -> bool:
    """Whether a token begins at `start`, or before it with nothing but white space that the template wrote."""
    before = max((end for end in encoding.byte_ends if end <= start), default=0)
    return before == start or (before >= glued.get(start, start) and not data[before:start].strip())


def _reported(encoding: SplitEncoding, scored: Sequence[tuple[int, int]]) -> Reported:
    rows: list[int] = []
    ends: list[int] = []
    offset = part = start = 0
    for row, end in enumerate(encoding.byte_ends):
        while part < len(scored) and scored[part][1] <= start:
            offset += scored[part][1] - scored[part][0]
            part += 1
        if part == len(scored):
            break
        first, last = scored[part]
        if end > first:
            rows.append(row)
            ends.append(offset + min(end, last) - first)
        start = end
    return Reported(tuple(rows), tuple(ends))

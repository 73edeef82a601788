"""The tokens of a response of several parts, and which of their positions are reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.scoring.inputs.parts import Passage, ScoredText
from shiftlens.scoring.inputs.tokens import SplitEncoding, TextEncoder


@dataclass(frozen=True, slots=True)
class Reported:
    """The positions of a response's tokens that have a place in the file, ascending, and where each token ends.

    `byte_ends` count in the texts of the scored parts, joined; the tokens partition these.
    """

    positions: tuple[int, ...]
    byte_ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The tokens of a scored text. `reported` is None where all of them have a place in the file.

    `separate_starts` are the positions, beside the first, at which a part begins that was tokenised by itself.
    """

    encoding: SplitEncoding
    reported: Reported | None = None
    separate_starts: tuple[int, ...] = ()


def laid_out(encoder: TextEncoder, scored_text: ScoredText, leading_ids: Sequence[int]) -> Layout:
    """Encode a text after its prefix, so that a token begins where a scored part begins.

    Raises ScoringError where a part has no tokens.
    """
    if scored_text.is_one_text:
        return Layout(encoder.split(scored_text.prefix, scored_text.text, leading_ids=leading_ids))
    spans = _spans(scored_text.passages)
    scored = [
        span for span, passage in zip(spans, scored_text.passages, strict=True) if passage.part in scored_text.scored
    ]
    glued = {
        start: before_start
        for (start, _), (before_start, _), before in zip(spans[1:], spans, scored_text.passages, strict=False)
        if before.part is None
    }
    data = scored_text.text.encode("utf-8")
    cuts: list[int] = []
    while True:
        encoding = _encoded(encoder, scored_text.prefix, data, cuts, leading_ids)
        missing = [start for start, _ in scored[1:] if start not in cuts and not _begins(encoding, start, data, glued)]
        if not missing:
            break
        cuts = sorted([*cuts, *missing])
    positions_at = {end: position + 1 for position, end in enumerate(encoding.byte_ends)}
    return Layout(encoding, _reported(encoding, scored), tuple(positions_at[cut] for cut in cuts))


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
    texts = [data[a:b].decode("utf-8") for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    joined = encoder.split(prefix, texts[0], leading_ids=leading_ids)
    for cut, text in zip(cuts, texts[1:], strict=True):
        more = encoder.encode(text)
        joined = dataclasses.replace(
            joined,
            ids=(*joined.ids, *more.ids),
            byte_ends=(*joined.byte_ends, *(cut + end for end in more.byte_ends)),
            exact=joined.exact and more.exact,
        )
    return joined


def _begins(encoding: SplitEncoding, start: int, data: bytes, glued: dict[int, int]) -> bool:
    """Whether a token begins at `start`, or before it with nothing but white space that the template wrote."""
    before = max((end for end in encoding.byte_ends if end <= start), default=0)
    return before == start or (before >= glued.get(start, start) and not data[before:start].strip())


def _reported(encoding: SplitEncoding, scored: Sequence[tuple[int, int]]) -> Reported:
    positions: list[int] = []
    ends: list[int] = []
    offset = part = start = 0
    for position, end in enumerate(encoding.byte_ends):
        while part < len(scored) and scored[part][1] <= start:
            offset += scored[part][1] - scored[part][0]
            part += 1
        if part == len(scored):
            break
        first, last = scored[part]
        if end > first:
            positions.append(position)
            ends.append(offset + min(end, last) - first)
        start = end
    return Reported(tuple(positions), tuple(ends))

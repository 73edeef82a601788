"""Scored responses made by hand, for tests that need no model."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Iterable, Sequence

from shiftlens.analysis.classify import combine
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.columns import BASE_ONLY, OwnTokens, ScoredResponse, SideColumns
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Response, Role, Transcript, Turn

END_ID = 2
BASE_END_ID = 1


def ints(values: Iterable[int]) -> bytes:
    return array("i", values).tobytes()


def floats(values: Iterable[float]) -> bytes:
    return array("f", values).tobytes()


def asked(question: str) -> Turn:
    return Turn.of(Role.USER, question, SourceMap.verbatim(0, len(question)))


def response(text: str, source: SourceMap | None = None, question: str = "Why?") -> Response:
    place = source if source is not None else SourceMap.verbatim(100, len(text))
    return Response(0, (asked(question),), Turn.of(Role.ASSISTANT, text, place))


def side(
    rows: int,
    *,
    ranks: Sequence[int] | None = None,
    tops: Sequence[Sequence[int]] | None = None,
    logprobs: Sequence[Sequence[float]] | None = None,
    end_id: int = END_ID,
) -> SideColumns:
    lists = tops if tops is not None else [[10, 11]] * rows
    masses = logprobs if logprobs is not None else [[math.log(0.5 / 2**i) for i in range(len(t))] for t in lists]
    return SideColumns(
        prefix_text="# Query:",
        prefix_ids=(5, 6),
        end_id=end_id,
        logprob=floats([-0.5] * rows),
        rank=ints(ranks if ranks is not None else [1] * rows),
        entropy=floats([1.25] * rows),
        top_ids=ints(i for top in lists for i in top),
        top_logprobs=floats(p for mass in masses for p in mass),
    )


def scored(
    pieces: Sequence[bytes],
    *,
    base_ranks: Sequence[int] | None = None,
    aligned_ranks: Sequence[int] | None = None,
    ranks_of_aligned_top: Sequence[int] | None = None,
    special: Sequence[int] = (),
    boundary: Sequence[int] = (),
    base: SideColumns | None = None,
    aligned: SideColumns | None = None,
    decoded: dict[int, str] | None = None,
    with_end: bool = True,
    kl: Sequence[float] | None = None,
) -> ScoredResponse:
    """Scores of a response of these tokens (ids 100, 101, ...), with the row of its end unless told otherwise."""
    rows = len(pieces) + with_end
    ends, at = [], 0
    for piece in pieces:
        at += len(piece)
        ends.append(at)
    ids = [100 + i for i in range(len(pieces))] + [END_ID] * with_end
    left = base if base is not None else side(rows, ranks=base_ranks, end_id=BASE_END_ID)
    right = aligned if aligned is not None else side(rows, ranks=aligned_ranks)
    return ScoredResponse(
        k=len(left.top_ids) // 4 // rows,
        ids=ints(ids),
        byte_ends=array("I", ends + [at] * with_end).tobytes(),
        special=bytes(i in special for i in range(rows)),
        boundary=bytes(i in boundary for i in range(rows)),
        base=left,
        aligned=right,
        base_rank_of_aligned_top=ints(ranks_of_aligned_top if ranks_of_aligned_top is not None else [1] * rows),
        kl=floats(kl if kl is not None else [0.25] * rows),
        pieces={
            **dict(zip(ids, pieces, strict=False)),
            10: b" the",
            11: b"\xf0\x9f",
            END_ID: b"</s>",
            BASE_END_ID: b"<eot>",
        },
        decoded=decoded if decoded is not None else {},
        notes=("A note.",),
    )


def two_vocabularies() -> ScoredResponse:
    """Of "abc" under two vocabularies: "a" is one token of the base model, "b" and "c" together are three."""
    tops = [[10, BASE_ONLY + 71], [10, 11], [-1, -1], [10, 11]]
    nan = math.nan
    base = side(4, ranks=[2, 9, 9, 1], tops=tops, end_id=BASE_ONLY + BASE_END_ID)
    base = dataclasses.replace(base, logprob=floats([-0.5, nan, nan, -0.5]), entropy=floats([1, 1, nan, 1]))
    found = scored([b"a", b"b", b"c"], base=base, kl=[nan] * 4, ranks_of_aligned_top=[0, 1, 0, 1])
    own = OwnTokens(
        ids=ints([100, -1, -1, BASE_ONLY + BASE_END_ID]),
        first=ints([0, 1, 1, 3]),
        base_tokens=ints([1, 3, 3, 1]),
        logprob=floats([-0.5, -4.5, -4.5, -0.5]),
        base_ids={100: 7, 10: 70, 11: 72, BASE_ONLY + 71: 71, BASE_ONLY + BASE_END_ID: BASE_END_ID},
    )
    return dataclasses.replace(found, own_tokens=own)


def whole(found: ResponseAnalysis, options: ScoreOptions | None = None) -> Analysis:
    """The analysis of a file of this one response."""
    return Analysis(
        transcript=Transcript("labels", "its labels", (found.response,)),
        pair=PairSpec(base="b", aligned="a"),
        score_options=options or ScoreOptions(),
        classify_options=ClassifyOptions(),
        responses=(found,),
        summary=combine([found.summary]),
    )

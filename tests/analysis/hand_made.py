"""Scored responses made by hand, for tests that need no model."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Iterable, Sequence

from shiftlens.analysis.classify import combine
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Token, TokenSide
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.records import Alignment, Comparison, ScoredResponse, ScoringModel, SideScores
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Response, Role, Transcript, Turn

END_ID = 2
BASE_END_ID = 1


def ints(values: Iterable[int]) -> bytes:
    return array("i", values).tobytes()


def floats(values: Iterable[float]) -> bytes:
    return array("f", values).tobytes()


def base_of(token: Token) -> TokenSide:
    """The base model's view of a position in scores of a pair."""
    assert token.base is not None
    return token.base


def asked(question: str) -> Turn:
    return Turn.of(Role.USER, question, SourceMap.verbatim(0, len(question)))


def response(text: str, source: SourceMap | None = None, question: str = "Why?") -> Response:
    place = source if source is not None else SourceMap.verbatim(100, len(text))
    return Response(0, (asked(question),), Turn.of(Role.ASSISTANT, text, place))


PIECES = {10: b" the", 11: b"\xf0\x9f", END_ID: b"</s>", BASE_END_ID: b"<eot>"}


def side(
    rows: int,
    *,
    ranks: Sequence[int] | None = None,
    tops: Sequence[Sequence[int]] | None = None,
    logprobs: Sequence[Sequence[float]] | None = None,
    end_id: int = END_ID,
    pieces: Sequence[bytes] = (),
    with_end: bool = True,
) -> SideScores:
    """What a model gave for tokens with the ids 100, 101, ... and the row of the end; `pieces` are their bytes."""
    lists = tops if tops is not None else [[10, 11]] * rows
    masses = logprobs if logprobs is not None else [[math.log(0.5 / 2**i) for i in range(len(t))] for t in lists]
    ends, at = [], 0
    for piece in pieces:
        at += len(piece)
        ends.append(at)
    ids = [100 + i for i in range(rows - with_end)] + [end_id] * with_end
    return SideScores(
        model=ScoringModel(),
        prefix_text="# Query:",
        prefix_ids=(5, 6),
        end_id=end_id,
        k=len(lists[0]) if lists else 2,
        ids=ints(ids),
        byte_ends=array("I", (ends + [at] * with_end) if pieces or with_end else [0] * rows).tobytes(),
        special=bytes(rows),
        logprob=floats([-0.5] * rows),
        rank=ints(ranks if ranks is not None else [1] * rows),
        entropy=floats([1.25] * rows),
        top_ids=ints(i for top in lists for i in top),
        top_logprobs=floats(p for mass in masses for p in mass),
        pieces={**dict(zip(ids, pieces, strict=False)), **PIECES},
        decoded={},
    )


def scored(
    pieces: Sequence[bytes],
    *,
    base_ranks: Sequence[int] | None = None,
    aligned_ranks: Sequence[int] | None = None,
    ranks_of_aligned_top: Sequence[int] | None = None,
    special: Sequence[int] = (),
    boundary: Sequence[int] = (),
    base: SideScores | None = None,
    aligned: SideScores | None = None,
    decoded: dict[int, str] | None = None,
    with_end: bool = True,
    kl: Sequence[float] | None = None,
    loss_mask: Sequence[int] = (),
) -> ScoredResponse:
    """Scores of a response of these tokens (ids 100, 101, ...), with the row of its end unless told otherwise."""
    rows = len(pieces) + with_end
    own = side(rows, pieces=pieces, with_end=with_end)
    left = base if base is not None else side(rows, ranks=base_ranks, end_id=BASE_END_ID)
    right = aligned if aligned is not None else side(rows, ranks=aligned_ranks)
    left, right = (
        dataclasses.replace(
            each,
            ids=ints([*(100 + i for i in range(len(pieces))), *[each.end_id] * with_end]),
            byte_ends=own.byte_ends,
            special=bytes(i in special for i in range(rows)),
            pieces={**own.pieces, **each.pieces},
            decoded=decoded if decoded is not None else {},
        )
        for each in (left, right)
    )
    return ScoredResponse(
        base=left,
        aligned=right,
        comparison=Comparison(
            base_rank_of_aligned_top=ints(ranks_of_aligned_top if ranks_of_aligned_top is not None else [1] * rows),
            kl=floats(kl if kl is not None else [0.25] * rows),
            boundary=bytes(i in boundary for i in range(rows)),
            notes=("A note.",),
            loss_mask=bytes(loss_mask),
        ),
    )


def two_vocabularies() -> ScoredResponse:
    """Of "abc" under two vocabularies: "a" is one token of the base model, "b" and "c" together are three."""
    base = SideScores(
        model=ScoringModel(),
        prefix_text="# Query:",
        prefix_ids=(5, 6),
        end_id=BASE_END_ID,
        k=2,
        ids=ints([7, 61, 62, 63, BASE_END_ID]),
        byte_ends=array("I", [1, 2, 2, 3, 3]).tobytes(),
        special=bytes(5),
        logprob=floats([-0.5, -1.5, -1.5, -1.5, -0.5]),
        rank=ints([2, 4, 9, 5, 1]),
        entropy=floats([1, 1, 8, 8, 1]),
        top_ids=ints([70, 71, 70, 72, 61, 62, 61, 62, 70, 72]),
        top_logprobs=floats([math.log(0.5), math.log(0.25)] * 5),
        pieces={7: b"a", 61: b"b", 62: b"", 63: b"c", 70: b" the", 71: b"", 72: b"\xf0\x9f", BASE_END_ID: b"<eot>"},
        decoded={},
    )
    found = scored([b"a", b"b", b"c"], ranks_of_aligned_top=[0, 1, 0, 1])
    alignment = Alignment(
        first=ints([0, 1, 1, 3]),
        base_first=array("I", [0, 1, 1, 4]).tobytes(),
        base_tokens=array("I", [1, 3, 3, 1]).tobytes(),
    )
    return dataclasses.replace(
        found, base=base, comparison=dataclasses.replace(found.comparison, kl=b"", alignment=alignment)
    )


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


def of_parts(scores: ScoredResponse, parts: tuple[int, ...]) -> ScoredResponse:
    """The same scores of these parts of a turn."""
    base, aligned = (dataclasses.replace(side, parts=parts) for side in (scores.base, scores.aligned))
    return dataclasses.replace(scores, base=base, aligned=aligned)


def shortened(scores: ScoredResponse, *, base: int | None = None, aligned: int | None = None) -> ScoredResponse:
    """The same scores of models that saw the whole context at so many first rows only."""
    return dataclasses.replace(
        scores,
        base=dataclasses.replace(scores.base, full_context_rows=base),
        aligned=dataclasses.replace(scores.aligned, full_context_rows=aligned),
    )

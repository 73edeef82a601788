"""AlignTDS's positions as scores of a pair: the candidates of both models, with their logits and probabilities.

The records do not say which candidate is the response's token. Its text follows from what was decoded before each
position; a candidate is taken for it where its string alone is that text, as AlignTDS itself compares strings.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiftlens.analysis.aligntds import SHOWN, shown_top_ranks
from shiftlens.saved.align import Aligned, align
from shiftlens.saved.tokens import REPLACEMENT, SavedError, SavedToken, named
from shiftlens.scores.columns import NO_CANDIDATE, float32_column, int32_column, uint32_column
from shiftlens.scores.records import Comparison, ScoredResponse, ScoringModel, SideScores
from shiftlens.transcripts.model import Response, SavedLogprobs

NOTE = (
    "Scores saved in the file by AlignTDS, of both models: the classes and the numbers are the reference's own, by its"
    " candidates' strings; which of them is the response's token is told by its string too."
)


@dataclass(frozen=True, slots=True)
class _Entry:
    id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class _Position:
    before: str
    top: tuple[_Entry, ...]


def pair_scores(response: Response, saved: SavedLogprobs, parts: tuple[int, ...]) -> ScoredResponse:
    """The scores of both models. Raises SavedError where the records are not as AlignTDS writes them."""
    base, aligned = (_positions(piece) for piece in saved.pieces)
    if not aligned or len(base) != len(aligned):
        raise SavedError(
            f"There are {len(base):,} positions of the base model and {len(aligned):,} of the aligned one."
        )
    k = min(len(each.top) for each in (*base, *aligned))
    if not k:
        raise SavedError("A position has no candidates.")
    texts = [response.turn.parts[at].text for at in parts]
    said = "".join(texts) + (response.end_marker or "")
    tokens = [SavedToken(named(text), None) for text in _texts([each.before for each in aligned], said)]
    found = align(tokens, texts)
    rows = (*found.rows, *(() if found.end is None else (found.end,)))
    own = [tokens[row].name.text or "" for row in rows]
    sides = [_side([each[row] for row in rows], own, found, k, parts, each[0].before) for each in (base, aligned)]
    scored = ScoredResponse(
        base=sides[0],
        aligned=sides[1],
        comparison=Comparison(
            base_rank_of_aligned_top=int32_column([0] * len(rows)), kl=b"", boundary=bytes(len(rows)), notes=(NOTE,)
        ),
    )
    looked_at = min(k, SHOWN)
    ranks = [index + 1 if index < looked_at else -looked_at for index in shown_top_ranks(scored)]
    comparison = Comparison(
        base_rank_of_aligned_top=int32_column(ranks), kl=b"", boundary=bytes(len(rows)), notes=(NOTE,)
    )
    return ScoredResponse(base=sides[0], aligned=sides[1], comparison=comparison)


def _positions(piece: str) -> list[_Position]:
    try:
        value = json.loads(piece)
        found = [value[f"position_{number}"] for number in range(len(value))]
        return [_Position(str(each["prefix"]), _top(each["candidates"])) for each in found]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SavedError(f"The positions are not as AlignTDS writes them ({type(error).__name__}).") from None


def _top(candidates: Sequence[Mapping[str, object]]) -> tuple[_Entry, ...]:
    """Logprobs over the vocabulary: the first one's of its probability, the others' by their logits' distances."""
    logits = [_real(each["logit"]) for each in candidates]
    first = _real(candidates[0]["prob"]) if candidates else 1.0
    if not 0 < first <= 1 + 1e-3:
        raise SavedError(f"A probability is {first:g}.")
    return tuple(
        _Entry(_id(each["token_id"]), str(each["token"]), min(0.0, math.log(first) + logit - logits[0]))
        for each, logit in zip(candidates, logits, strict=True)
    )


def _real(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise TypeError(value)


def _id(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31:
        return value
    raise TypeError(value)


def _texts(before: Sequence[str], said: str) -> list[str]:
    """The text of the token at each position: what the next one has more before it, and of the last what is left.

    A character whose bytes are not all there yet is U+FFFD at the end; it belongs to the token that completes it.
    """
    whole = [text.rstrip(REPLACEMENT) for text in before]
    texts: list[str] = []
    for text, following in itertools.pairwise(whole):
        if not following.startswith(text):
            raise SavedError("The text before a position does not go on with that before the position before it.")
        texts.append(following[len(text) :])
    so_far = "".join(texts)
    rest = next((said[len(each) :] for each in (so_far, so_far.lstrip()) if said.startswith(each)), None)
    if rest is None:
        raise SavedError("The texts before the positions are not the beginnings of the response.")
    return [*texts, rest]


def _side(
    positions: Sequence[_Position], own: Sequence[str], found: Aligned, k: int, parts: tuple[int, ...], prefix: str
) -> SideScores:
    numbers: dict[str, int] = {}
    pieces: dict[int, bytes] = {}
    ids: list[int] = []
    ranks: list[int] = []
    logprobs: list[float] = []
    for position, text in zip(positions, own, strict=True):
        same = [entry for entry in position.top if text.strip() and entry.text.strip() == text.strip()]
        one = same[0] if len(same) == 1 else None
        number = numbers.setdefault(text, -2 - len(numbers)) if one is None else one.id
        ids.append(number)
        pieces.setdefault(number, text.encode("utf-8", "surrogatepass"))
        logprobs.append(math.nan if one is None else one.logprob)
        # Of several with its string, or of a token without one, the rank is not known.
        among = 0 if same or not text.strip() else -len(position.top)
        ranks.append(among if one is None else 1 + sum(each.logprob > one.logprob for each in position.top))
    tops = [each for position in positions for each in position.top[:k]]
    for each in tops:
        pieces.setdefault(each.id, each.text.encode("utf-8", "surrogatepass"))
    ends = [*found.byte_ends, *(() if found.end is None else found.byte_ends[-1:])]
    return SideScores(
        model=ScoringModel(),
        prefix_text=prefix,
        prefix_ids=(),
        end_id=NO_CANDIDATE if found.end is None else ids[-1],
        k=k,
        ids=int32_column(ids),
        byte_ends=uint32_column(ends),
        special=bytes(len(ids)),
        logprob=float32_column(logprobs),
        rank=int32_column(ranks),
        entropy=b"",
        top_ids=int32_column(each.id for each in tops),
        top_logprobs=float32_column(each.logprob for each in tops),
        pieces=pieces,
        decoded={each.id: each.text for each in tops},
        parts=parts,
    )

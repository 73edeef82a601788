"""From the logprobs of a response, as its file has them, to scores of one model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from shiftlens.analysis.parts import part_name
from shiftlens.saved.align import Aligned, align
from shiftlens.saved.aligntds import pair_scores
from shiftlens.saved.shapes import readings
from shiftlens.saved.tokens import Candidate, Named, SavedError, SavedToken, rank_of_token
from shiftlens.scores.columns import NO_CANDIDATE, float32_column, int32_column, uint32_column
from shiftlens.scores.records import AnyScores, OneModelScores, ScoringModel, SideScores
from shiftlens.transcripts.model import Response, SavedKind, SavedLogprobs

_MOST_CANDIDATES = 100
_ABOVE_ZERO = 1e-3
_ABOVE_ONE = 1e-2


Read = Callable[[SavedLogprobs], Sequence[tuple[SavedToken, ...]]]


def every_reading(saved: SavedLogprobs) -> Sequence[tuple[SavedToken, ...]]:
    """The readings of logprobs (`shapes.readings`). Raises SavedError where the file holds something else."""
    return tuple(readings(saved))


def saved_scores(response: Response, kinds: Collection[str], read: Read = every_reading) -> AnyScores:
    """The scores that the file holds of the parts of a response that are of these kinds.

    The first of its logprobs that are those of its text count. `read` may keep what it read: all answers in a prompt
    share its logprobs. Raises SavedError where it has none, or where none fit.
    """
    why: SavedError | None = None
    for saved in response.turn.saved:
        try:
            return _scores(response, saved, kinds, read)
        except SavedError as error:
            why = why or error
    raise why or SavedError("The file holds no logprobs of this response.")


def _scores(response: Response, saved: SavedLogprobs, kinds: Collection[str], read: Read) -> AnyScores:
    every = response.turn.parts
    parts = [at for at, part in enumerate(every) if part.text and part_name(part.kind) in kinds]
    if saved.kind is SavedKind.ALIGNTDS:
        return pair_scores(response, saved, tuple(parts))
    texts = [every[at].text for at in parts]
    why: SavedError | None = None
    for tokens in read(saved):
        try:
            aligned = align(tokens, texts)
        except SavedError as error:
            why = why or error
            continue
        found = tuple(parts[at] for at in aligned.parts)
        missing = [part_name(every[at].kind) for at in parts if at not in found]
        last = max(at for at, part in enumerate(every) if part.text)
        side = _side(tokens, aligned, found, has_end=last in found)
        notes = tuple(_notes(saved, tokens, aligned, missing))
        return OneModelScores(model_name=saved.model, aligned=side, notes=notes)
    raise why or SavedError("The logprobs of the file are empty.")


def _notes(saved: SavedLogprobs, tokens: Sequence[SavedToken], aligned: Aligned, missing: Sequence[str]) -> list[str]:
    whose = saved.model or "a model that the file does not name"
    found = [
        f"Scores saved in the file by {whose} ({saved.kind.value}); one model only: classes are by that model's own"
        " rank."
    ]
    if missing:
        what = " and ".join(dict.fromkeys(name.replace("_", " ") for name in missing))
        found.append(f"The file holds no logprobs of the {what}, which stays without colours.")
    if aligned.left_out:
        count = "One token" if aligned.left_out == 1 else f"{aligned.left_out:,} tokens"
        is_are = "is" if aligned.left_out == 1 else "are"
        found.append(f"{count} of the saved logprobs {is_are} not of the text that is shown, and left out.")
    if not any(tokens[row].top for row in aligned.rows):
        found.append(
            "The file holds no candidates, so that a rank is known only where a token has more than half of all"
            " probability: then it is 1."
        )
    if any(tokens[row].name.data is None for row in aligned.rows):
        found.append("Some characters are several tokens, of which the file does not spell the bytes.")
    return found


@dataclass(slots=True)
class _Ids:
    """Numbers for tokens: their ids where the file has them, else numbers that stand for their names."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    _numbers: dict[object, int] = field(default_factory=dict)

    def of(self, name: Named) -> int:
        number = name.id if name.id is not None else self._numbers.setdefault(name.key, -2 - len(self._numbers))
        self.pieces.setdefault(number, name.data if name.data is not None else (name.text or "").encode())
        return number


def _side(tokens: Sequence[SavedToken], aligned: Aligned, parts: tuple[int, ...], *, has_end: bool) -> SideScores:
    ends_at = (aligned.end,) if aligned.end is not None and has_end else ()
    rows = [tokens[row] for row in (*aligned.rows, *ends_at)]
    tops = [_most_likely(row.top) for row in rows]
    for row in rows:
        _check(row)
    ids = _Ids()
    own = [ids.of(row.name) for row in rows]
    k = max((len(top) for top in tops), default=0)
    none = (NO_CANDIDATE, 0.0)
    listed = ([(ids.of(each.name), each.logprob) for each in top] for top in tops)
    columns = [each for top in listed for each in (*top, *(none,) * (k - len(top)))]
    ends = [*aligned.byte_ends, *aligned.byte_ends[-1:]] if ends_at else aligned.byte_ends
    return SideScores(
        model=ScoringModel(),
        prefix_text="",
        prefix_ids=(),
        end_id=own[-1] if ends_at else NO_CANDIDATE,
        k=k,
        ids=int32_column(own),
        byte_ends=uint32_column(ends),
        special=bytes(len(rows)),
        logprob=float32_column(math.nan if row.logprob is None else min(row.logprob, 0.0) for row in rows),
        rank=int32_column(rank_of_token(row) for row in rows),
        entropy=b"",
        top_ids=int32_column(number for number, _ in columns),
        top_logprobs=float32_column(min(logprob, 0.0) for _, logprob in columns),
        pieces=ids.pieces,
        decoded={},
        parts=parts,
    )


def _most_likely(top: Sequence[Candidate]) -> list[Candidate]:
    return sorted(top, key=lambda each: -each.logprob)[:_MOST_CANDIDATES]


def _check(token: SavedToken) -> None:
    """Raises SavedError for what can't be logprobs."""
    values = [each.logprob for each in token.top]
    for value in (*values, *(() if token.logprob is None else (token.logprob,))):
        if not value <= _ABOVE_ZERO:
            raise SavedError(f"The file has {value:g} as a logprob, which is above 0, as logits are.")
    total = sum(map(math.exp, values))
    if total > 1 + _ABOVE_ONE:
        raise SavedError(
            f"The candidates of a token have probabilities that are {total:.3f} together, so that they are no logprobs."
        )

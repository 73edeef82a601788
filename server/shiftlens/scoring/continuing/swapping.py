"""One model writes, and where the two part strongly the other one's first choice stands instead, so many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from shiftlens.scores.continuations import BASE_ALPHA, MOST_TOKENS, Sampling, Swaps, Voice, WrittenToken
from shiftlens.scoring.continuing.ending import broken, end_of
from shiftlens.scoring.continuing.place import Place
from shiftlens.scoring.continuing.sampler import is_broken, logprob_of, next_token, rank_of_id
from shiftlens.scoring.continuing.stream import Tail
from shiftlens.scoring.opening.pair import OpenedPair


@dataclass(frozen=True, slots=True)
class _Step:
    """What both models hold at a step: logits float32 [V], of the aligned model those of the ids that both have."""

    place: Place
    base: torch.Tensor
    aligned: torch.Tensor
    base_writes: bool

    def instead(self, token: int) -> tuple[int, int]:
        """The other model's first choice, and the base model's rank of what the aligned model says.

        That rank is 0 where the two say the same: one token, or that the text ends, for which each has its own.
        """
        said = int(self.aligned.argmax()) if self.base_writes else token
        of_base = token if self.base_writes else int(self.base.argmax())
        found = said if self.base_writes else of_base
        base, aligned = self.place.base, self.place.aligned
        if said not in aligned.end_ids:
            return found, 0 if said == of_base else rank_of_id(self.base, said)
        if of_base in base.end_ids or said == of_base:
            return found, 0
        # As scores have it, the base model is asked for its own end.
        ends = (base.end_id,) if base.end_id is not None else tuple(base.end_ids) or (said,)
        return found, min(rank_of_id(self.base, end) for end in ends)


def crossed(
    pair: OpenedPair,
    place: Place,
    tails: tuple[Tail, Tail],
    voice: Voice,
    swaps: Swaps,
    sampling: Sampling,
    check: Callable[[], None],
) -> Iterator[WrittenToken]:
    """The tokens of a voice with swaps. `tails` are base and aligned model at the place, of one vocabulary, and stay.

    Raises ScoringError where logits are broken, and what `check` raises.
    """
    base_writes = voice.alpha == BASE_ALPHA
    base, aligned = (tail.fork(sampling.max_tokens) for tail in tails)
    writer, other = (base, aligned) if base_writes else (aligned, base)
    own_side, other_side = (place.base, place.aligned) if base_writes else (place.aligned, place.base)
    models = (pair.base.loaded, pair.aligned.loaded)
    sides = zip(models, (place.base, place.aligned), strict=True)
    room = min(
        (loaded.max_positions - len(side.before) for loaded, side in sides if loaded.max_positions),
        default=MOST_TOKENS,
    )
    width = min(len(base.logits), len(aligned.logits))
    pieces = pair.aligned.loaded.encoder.pieces
    generator = None if voice.seed is None else torch.Generator().manual_seed(voice.seed)
    left, text = swaps.most, b""
    for count in range(1, sampling.max_tokens + 1):
        check()
        # Of what one model alone has, the other can't be given anything to go on from.
        own = writer.logits[:width] if base_writes else writer.logits
        if is_broken(own) or (left and is_broken(other.logits)):
            raise broken([loaded.name for loaded in models], count - 1)
        token = next_token(own, generator, temperature=sampling.temperature, top_p=sampling.top_p)
        rank, replaced = 0, b""
        is_swapped = False
        if left:
            choice, rank = _Step(place, base.logits[:width], aligned.logits[:width], base_writes).instead(token)
            is_swapped = rank > swaps.above
        if is_swapped:
            token, replaced, left = choice, pieces[token], left - 1
        text += pieces[token]
        end = end_of(token, text, (own_side, other_side) if is_swapped else (own_side,))
        if not end and count == sampling.max_tokens:
            end = "length"
        if not end and count > room:
            end = "room"
        yield WrittenToken(
            id=token,
            piece=pieces[token],
            logprob=logprob_of(own, token),
            end=end,
            is_swapped=is_swapped,
            replaced=replaced,
            base_rank=rank,
        )
        if end:
            return
        writer.feed(token)
        if left:
            other.feed(token)

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

    base: torch.Tensor
    aligned: torch.Tensor
    base_writes: bool

    def instead(self, token: int, swaps: Swaps) -> int | None:
        """The other model's first choice where it is to stand instead of the writer's `token`; None where it is not."""
        said = int(self.aligned.argmax()) if self.base_writes else token
        if rank_of_id(self.base, said) <= swaps.above:
            return None
        found = said if self.base_writes else int(self.base.argmax())
        return None if found == token else found


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
        swapped = None
        if left:
            swapped = _Step(base.logits[:width], aligned.logits[:width], base_writes).instead(token, swaps)
        if swapped is not None:
            token, left = swapped, left - 1
        text += pieces[token]
        end = end_of(token, text, (own_side,) if swapped is None else (own_side, other_side))
        if not end and count == sampling.max_tokens:
            end = "length"
        if not end and count > room:
            end = "room"
        yield WrittenToken(
            id=token, piece=pieces[token], logprob=logprob_of(own, token), end=end, is_swapped=swapped is not None
        )
        if end:
            return
        writer.feed(token)
        if left:
            other.feed(token)

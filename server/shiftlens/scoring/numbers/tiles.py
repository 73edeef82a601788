"""The numbers of a slice of the vocabulary, and those of the whole of it from its slices.

A tile float32 [r, w] has the logits of r rows for w ids that follow one another. It is looked at while it lies in the
CPU's cache, and need not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_LOWEST = -1e9
_GROUP = 64
_FEW = 0.25


@dataclass(frozen=True, slots=True)
class TileNumbers:
    """Of one tile: its k largest logits and their ids, [r, k]; with z = logits less the largest, the sum of exp(z) and
    the mean of z under softmax(z), [r]."""

    top: torch.Tensor
    top_ids: torch.Tensor
    total: torch.Tensor
    mean: torch.Tensor

    @property
    def largest(self) -> torch.Tensor:
        return self.top[:, 0].clamp(min=_LOWEST)


@dataclass(frozen=True, slots=True)
class Merged:
    """Of the whole vocabulary: the k largest logits and their ids [r, k]; logsumexp and entropy [r]; and what each
    tile's sums count for, [tiles, r], which add up to 1."""

    top: torch.Tensor
    top_ids: torch.Tensor
    norm: torch.Tensor
    entropy: torch.Tensor
    shares: torch.Tensor


class Scratch:
    """Memory for what is computed of one tile: two of its size. What is in it is gone with the next tile."""

    def __init__(self, elements: int, device: torch.device) -> None:
        self._room = torch.empty(2, elements, device=device)

    def like(self, tile: torch.Tensor, which: int) -> torch.Tensor:
        return self._room[which, : tile.numel()].view(tile.shape)


def tile_numbers(tile: torch.Tensor, first_id: int, k: int, scratch: Scratch) -> tuple[TileNumbers, torch.Tensor]:
    """The numbers of a tile whose ids begin at `first_id`, and softmax(tile), which lies in the scratch.

    A logit of -inf counts as very low where it would make no number of a sum: 0 x inf is none.
    """
    top, top_ids = largest(tile, k)
    weights, mean = _weights(tile, top[:, :1], scratch)
    if not bool(mean.isfinite().all()):
        weights, mean = _weights(tile.clamp(min=_LOWEST), top[:, :1].clamp(min=_LOWEST), scratch)
    # The largest logit's share is exp(0) over the total.
    total = weights.gather(1, top_ids[:, :1]).squeeze(1).reciprocal()
    return TileNumbers(top, top_ids + first_id, total, mean), weights


def mean_difference(weights: torch.Tensor, tile: torch.Tensor, other: torch.Tensor, scratch: Scratch) -> torch.Tensor:
    """The sum of weights x (tile - other) over the ids that all three have, [r]; `weights` as `tile_numbers` gave."""
    shared = min(tile.shape[1], other.shape[1])
    weights, tile, other = weights[:, :shared], tile[:, :shared], other[:, :shared]
    difference = torch.sub(tile, other, out=scratch.like(tile, 1))
    found = difference.mul_(weights).sum(dim=-1)
    if not bool(found.isfinite().all()):
        difference = torch.sub(tile.clamp(min=_LOWEST), other.clamp(min=_LOWEST), out=difference)
        found = difference.mul_(weights).sum(dim=-1)
    return found


def merged(tiles: Sequence[TileNumbers], k: int) -> Merged:
    """The numbers of the whole vocabulary, of which these are all tiles."""
    top, indices = torch.topk(torch.cat([tile.top for tile in tiles], dim=1), _at_most(k, tiles), dim=-1)
    ids = torch.cat([tile.top_ids for tile in tiles], dim=1).gather(1, indices)
    shift = torch.stack([tile.largest for tile in tiles]) - top[:, 0]
    parts = torch.stack([tile.total for tile in tiles]) * shift.exp()
    whole = parts.sum(dim=0)
    shares = parts / whole
    mean = (shares * (torch.stack([tile.mean for tile in tiles]) + shift)).sum(dim=0)
    return Merged(top, ids, top[:, 0] + whole.log(), (whole.log() - mean).clamp_(min=0), shares)


def above(tile: torch.Tensor, values: torch.Tensor, top: torch.Tensor, scratch: Scratch) -> torch.Tensor:
    """How many logits of each row are strictly greater than its value [r], int32 [r]; `top` has the row's largest.

    A whole row is counted only where all of its `top` are greater.
    """
    counts = (top > values.unsqueeze(1)).sum(dim=-1, dtype=torch.int32)
    if top.shape[1] == tile.shape[1]:
        return counts
    # On an accelerator, looking which rows need it would cost more than counting them all.
    deeper = None if tile.device.type != "cpu" else counts == top.shape[1]
    number = len(counts) if deeper is None else int(deeper.sum())
    if deeper is None or number > _FEW * len(counts):
        # As float32, which counts exactly up to 2^24 and is added up fastest.
        greater = torch.gt(tile, values.unsqueeze(1), out=scratch.like(tile, 1))
        return greater.sum(dim=-1).to(torch.int32)
    if number:
        rows = deeper.nonzero().squeeze(1)
        counts[rows] = (tile[rows] > values[rows].unsqueeze(1)).sum(dim=-1, dtype=torch.int32)
    return counts


def largest(tile: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row, or all where there are fewer, and where they are in it: [r, k].

    They are among the groups whose largest are the k largest of all groups, so that most of the row is only read once.
    """
    rows, width = tile.shape
    groups = width // _GROUP
    if tile.device.type != "cpu" or groups < 2 * k:
        found = torch.topk(tile, min(k, width), dim=-1)
        return found.values, found.indices
    even = groups * _GROUP
    grouped = tile[:, :even].reshape(rows, groups, _GROUP)
    chosen = torch.topk(grouped.amax(dim=-1), k, dim=-1).indices
    pool = grouped[torch.arange(rows).unsqueeze(1), chosen].flatten(1)
    if even < width:
        pool = torch.cat([pool, tile[:, even:]], dim=1)
    found = torch.topk(pool, k, dim=-1)
    ids = chosen.gather(1, (found.indices // _GROUP).clamp(max=k - 1)) * _GROUP + found.indices % _GROUP
    # What follows the groups' k x _GROUP is the rest of the row.
    rest = found.indices - k * _GROUP
    return found.values, torch.where(rest < 0, ids, even + rest)


def _weights(tile: torch.Tensor, largest_logit: torch.Tensor, scratch: Scratch) -> tuple[torch.Tensor, torch.Tensor]:
    weights = torch.softmax(tile, dim=-1, out=scratch.like(tile, 0))
    below = torch.sub(tile, largest_logit, out=scratch.like(tile, 1))
    return weights, below.mul_(weights).sum(dim=-1)


def _at_most(k: int, tiles: Sequence[TileNumbers]) -> int:
    return min(k, sum(tile.top.shape[1] for tile in tiles))

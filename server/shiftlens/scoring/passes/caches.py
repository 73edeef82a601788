"""KV caches that can be cut back and gone on from, in memory that is allotted once per pass."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer with room for all positions of a pass.

    `DynamicLayer` copies all that it holds to a new place at each chunk; the many sizes that this asks for leave the
    heap full of holes.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, positions: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.positions = positions
        self._room = tuple(
            torch.empty(*held.shape[:-2], positions, held.shape[-1], dtype=held.dtype, device=held.device)
            for held in (keys, values)
        )
        self._hold(keys, values, 0)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the keys and values [1, heads, c, size] of the next positions; all there are so far."""
        held = self.get_seq_length()
        if held + key_states.shape[-2] > self.positions:
            # From here on, the room no longer has all that is held.
            self.positions = 0
            return super().update(key_states, value_states, *args, **kwargs)
        return self._hold(key_states, value_states, held)

    def _hold(self, keys: torch.Tensor, values: torch.Tensor, at: int) -> tuple[torch.Tensor, torch.Tensor]:
        end = at + keys.shape[-2]
        for room, new in zip(self._room, (keys, values), strict=True):
            room[..., at:end, :] = new
        self.keys, self.values = (room[..., :end, :] for room in self._room)
        return self.keys, self.values


def make_room(cache: Any, positions: int) -> None:
    """Give the layers of a cache room for so many positions; a cache of another kind is left as it is."""
    if not can_be_cut(cache):
        return
    for i, layer in enumerate(cache.layers):
        roomy = isinstance(layer, RoomyLayer) and layer.positions >= positions
        if layer.keys is not None and layer.values is not None and not roomy:
            cache.layers[i] = RoomyLayer(layer.keys, layer.values, positions)


def can_be_cut(cache: Any) -> bool:
    """Whether a cache keeps every position of every layer (sliding windows and state-space layers do not)."""
    return isinstance(cache, DynamicCache) and all(type(layer) in (DynamicLayer, RoomyLayer) for layer in cache.layers)


def cut(cache: DynamicCache, length: int) -> None:
    """Drop all but the first `length` positions."""
    for layer in cache.layers:
        if isinstance(layer, DynamicLayer) and layer.keys is not None and layer.values is not None:
            layer.keys = layer.keys[..., :length, :]
            layer.values = layer.values[..., :length, :]


def first_of(cache: DynamicCache, length: int) -> DynamicCache:
    """A copy of the first `length` positions."""
    found = copy.copy(cache)
    found.layers = [
        RoomyLayer(layer.keys[..., :length, :], layer.values[..., :length, :], length)
        if isinstance(layer, DynamicLayer) and layer.keys is not None and layer.values is not None
        else layer
        for layer in cache.layers
    ]
    return found


def bytes_of(cache: Any) -> int:
    """Bytes that a cache holds in memory, its room included."""
    return sum(
        tensor.untyped_storage().nbytes()
        for layer in cache.layers
        if layer.is_initialized
        for tensor in (layer.keys, layer.values)
    )

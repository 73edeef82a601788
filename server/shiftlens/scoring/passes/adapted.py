"""A model that shares its weights with another: split as any model, and run with one adapter on, or none."""

from __future__ import annotations

import dataclasses
from typing import cast

from transformers import PreTrainedModel

from shiftlens.scoring.models.adapters import AdaptedModel, WithAdapter
from shiftlens.scoring.passes.causal import CausalModel, open_model


def open_adapted(adapted: AdaptedModel, adapter: str | None) -> CausalModel:
    """The model with this adapter, or without any. Several may be used in turns, one call of a module at a time."""
    adapted.switch(adapter)
    causal = open_model(adapted.model)
    has_head = causal.head is not None
    head = causal.head
    if head is not None and adapted.touches_head:
        head = WithAdapter(adapted, adapter, head, body=False, head=True)
    return dataclasses.replace(
        causal,
        model=cast(PreTrainedModel, WithAdapter(adapted, adapter, causal.model, body=True, head=True)),
        body=WithAdapter(adapted, adapter, causal.body, body=True, head=not has_head),
        head=head,
    )

"""A model as passes and inputs need it: with its tokenizer, split into body and head, and described."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.scores.description import ModelDescription
from shiftlens.scoring.models.load_errors import guarded
from shiftlens.scoring.models.loading import LoadedModel
from shiftlens.scoring.numbers import products
from shiftlens.scoring.passes.adapted import open_adapted
from shiftlens.scoring.passes.causal import CausalModel, open_model

UnitId = tuple[int, str]
"""Names what is evicted as one: a full model in memory by its number, and an adapter on it ("" for the model)."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model with its split into body and head, and what it says of itself. `units` are what it is made of."""

    loaded: LoadedModel
    causal: CausalModel
    description: ModelDescription
    units: tuple[UnitId, ...] = ()


def opened_model(loaded: LoadedModel, fingerprint: str, units: tuple[UnitId, ...] = ()) -> OpenedModel:
    """Split and describe a model. Raises ModelError for one that can't be run."""
    shared = loaded.adapted
    causal = guarded(
        loaded.name,
        lambda: open_model(loaded.model) if shared is None else open_adapted(shared, loaded.adapter),
    )
    return OpenedModel(loaded, causal, describe(loaded, fingerprint), units)


def describe(loaded: LoadedModel, fingerprint: str) -> ModelDescription:
    """What a loaded model is."""
    return ModelDescription(
        name=loaded.name,
        path=str(loaded.folder or ""),
        architecture=type(loaded.model).__name__,
        parameters=loaded.parameters,
        vocabulary=loaded.vocabulary,
        max_positions=loaded.max_positions,
        device=str(loaded.device),
        dtype=loaded.numbers,
        fingerprint=fingerprint,
        adapter_of=loaded.adapter_of,
        matrix_library=products.used_for(loaded.device, loaded.dtype),
    )

"""The pair that is in memory. One at a time: loading another lets go of what the new one does not share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shiftlens.engine.protocol import ModelDescription
from shiftlens.models.compatible import check_same_tokens
from shiftlens.models.loading import LoadedModel, fingerprint, load_model
from shiftlens.models.pair import PairSpec
from shiftlens.scoring.causal import CausalModel, open_model


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model with its split into body and head, and what it says of itself."""

    loaded: LoadedModel
    causal: CausalModel
    description: ModelDescription


@dataclass(frozen=True, slots=True)
class OpenedPair:
    """Two models that speak of the same tokens."""

    base: OpenedModel
    aligned: OpenedModel


class PairHolder:
    """Keeps the models of the last pair, by name, device and dtype."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str, str], OpenedModel] = {}
        self._checked: set[tuple[str, str]] = set()

    def open(self, spec: PairSpec, on_progress: Callable[[str, float], None]) -> OpenedPair:
        """The pair, loaded if need be. `on_progress` gets what is being loaded and the fraction done.

        Raises ModelError.
        """
        wanted = {(name, spec.device, spec.dtype) for name in (spec.base, spec.aligned)}
        for key in [k for k in self._models if k not in wanted]:
            del self._models[key]
        opened = [self._one(name, spec, i / 2, on_progress) for i, name in enumerate((spec.base, spec.aligned))]
        pair = OpenedPair(*opened)
        if (spec.base, spec.aligned) not in self._checked:
            check_same_tokens(pair.base.loaded, pair.aligned.loaded)
            self._checked.add((spec.base, spec.aligned))
        return pair

    def clear(self) -> None:
        """Let go of every model."""
        self._models.clear()

    def _one(
        self, name: str, spec: PairSpec, fraction: float, on_progress: Callable[[str, float], None]
    ) -> OpenedModel:
        key = (name, spec.device, spec.dtype)
        if key not in self._models:
            loaded = load_model(name, spec, lambda message: on_progress(message, fraction))
            self._models[key] = OpenedModel(loaded, open_model(loaded.model), describe(loaded))
        return self._models[key]


def describe(loaded: LoadedModel) -> ModelDescription:
    """What a loaded model is."""
    return ModelDescription(
        name=loaded.name,
        path=str(loaded.folder or ""),
        architecture=type(loaded.model).__name__,
        parameters=loaded.parameters,
        vocabulary=loaded.vocabulary,
        max_positions=loaded.max_positions,
        device=str(loaded.device),
        dtype=str(loaded.dtype).removeprefix("torch."),
        fingerprint=fingerprint(loaded),
    )

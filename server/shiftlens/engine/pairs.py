"""The pair that is in memory. One at a time: loading another lets go of what the new one does not share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shiftlens.engine.protocol import ModelDescription
from shiftlens.models.compatible import check_same_tokens
from shiftlens.models.loading import LoadedModel, load_model
from shiftlens.models.pair import PairSpec
from shiftlens.results.fingerprint import model_fingerprint
from shiftlens.scoring.causal import CausalModel, open_model
from shiftlens.scoring.memory import PassMemory


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model with its split into body and head, and what it says of itself."""

    loaded: LoadedModel
    causal: CausalModel
    description: ModelDescription


@dataclass(frozen=True, slots=True)
class OpenedPair:
    """Two models that speak of the same tokens, and what their last passes left behind."""

    base: OpenedModel
    aligned: OpenedModel
    memory: PassMemory

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Of the base and the aligned model, as they were when they were loaded."""
        return self.base.description.fingerprint, self.aligned.description.fingerprint


class PairHolder:
    """Keeps the models of the last pair, by name, device and dtype."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str, str], OpenedModel] = {}
        self._pair: tuple[PairSpec, OpenedPair] | None = None

    def open(self, spec: PairSpec, on_progress: Callable[[str, float], None]) -> OpenedPair:
        """The pair, loaded if need be. `on_progress` gets what is being loaded and the fraction done.

        Raises ModelError.
        """
        if self._pair is not None and self._pair[0] == spec:
            return self._pair[1]
        self._pair = None
        wanted = {(name, spec.device, spec.dtype) for name in (spec.base, spec.aligned)}
        for key in [k for k in self._models if k not in wanted]:
            del self._models[key]
        base, aligned = (self._one(name, spec, i / 2, on_progress) for i, name in enumerate((spec.base, spec.aligned)))
        check_same_tokens(base.loaded, aligned.loaded)
        pair = OpenedPair(base, aligned, PassMemory())
        self._pair = (spec, pair)
        return pair

    @property
    def kv_bytes(self) -> int:
        """What the pair's last passes hold."""
        return 0 if self._pair is None else self._pair[1].memory.nbytes

    def clear(self) -> None:
        """Let go of every model."""
        self._models.clear()
        self._pair = None

    def _one(
        self, name: str, spec: PairSpec, fraction: float, on_progress: Callable[[str, float], None]
    ) -> OpenedModel:
        key = (name, spec.device, spec.dtype)
        if key not in self._models:
            before = model_fingerprint(name)
            loaded = load_model(name, spec, lambda part: on_progress(f"Loading {name}", fraction + part / 2))
            after = model_fingerprint(name)
            # Files that changed while they were read (or were fetched just now) may not be what is in memory.
            sure = after if after is not None and before in (None, after) else ""
            self._models[key] = OpenedModel(loaded, open_model(loaded.model), describe(loaded, sure))
        return self._models[key]


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
        dtype=str(loaded.dtype).removeprefix("torch."),
        fingerprint=fingerprint,
    )

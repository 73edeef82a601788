"""Which models in memory a pair needs, told from its names before anything is loaded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import AUTO_LIBRARY, PairSpec
from shiftlens.scores.matrix_library import expected_library, remember
from shiftlens.scoring.models.devices import choose_device
from shiftlens.scoring.models.sources import ModelSource, find_source
from shiftlens.scoring.numbers import products


@dataclass(frozen=True, slots=True)
class ModelKey:
    """What loads a full model: its place (a folder, or a name of the hub), device, dtype and matrix library.

    `weights` is what these are rounded to, "" where they stay as they are.
    """

    place: str
    device: str
    dtype: str
    library: str
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Needed:
    """One side of a pair: where it comes from, and the key of the full model that it is, or is an adapter on."""

    source: ModelSource
    key: ModelKey


def needed(spec: PairSpec) -> tuple[Needed, Needed]:
    """What the base and the aligned model of a pair need. Raises ModelError.

    Copies of one model in two places are one where an adapter is put on them.
    """
    base, aligned = find_source(spec.base, spec), find_source(spec.aligned, spec)
    if (base.adapter is not None or aligned.adapter is not None) and base.full_model != aligned.full_model:
        same = model_fingerprint(base.full_model)
        if same is not None and same == model_fingerprint(aligned.full_model):
            aligned = dataclasses.replace(aligned, full_model=base.full_model)
    library = library_for(spec)
    of_base = dataclasses.replace(spec, dtype=spec.base_dtype or spec.dtype)
    return _needed(base, of_base, library, spec.base_weights), _needed(aligned, spec, library)


def needed_alone(name: str, spec: PairSpec) -> Needed:
    """What one model needs that is loaded as `spec` says. Raises ModelError."""
    return _needed(find_source(name, spec), spec, library_for(spec))


def _needed(source: ModelSource, spec: PairSpec, library: str, weights: str = "") -> Needed:
    device = choose_device(spec.device)
    # What two settings mean alike is loaded once.
    dtype = "float32" if (spec.dtype, device.type) == ("auto", "cpu") else spec.dtype
    return Needed(source, ModelKey(source.full_model_place, str(device), dtype, library, weights))


def library_for(spec: PairSpec) -> str:
    """The matrix library of a pair; `auto` is what was measured on this machine once, or is measured now."""
    library = expected_library(spec.matrix_library)
    if spec.matrix_library == AUTO_LIBRARY and not (library and (library != "onednn" or products.has_onednn())):
        library = remember(products.quicker())
    return library

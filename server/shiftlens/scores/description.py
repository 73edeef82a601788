"""What a loaded model is."""

from __future__ import annotations

import msgspec

from shiftlens.scores.records import ScoringModel


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What a loaded model is, for `doctor` and the JSON output.

    `fingerprint` changes when the model's files do; "" where they can't be told apart (see `model_files.fingerprint`).
    `adapter_of` names the full model that an adapter is put on, "" for a full model. `matrix_library` takes its
    matrix products: "torch" for torch's own, or "onednn". Of a model on a server, what is not told is 0 or "".
    """

    name: str
    path: str
    architecture: str
    parameters: int
    vocabulary: int
    max_positions: int | None
    device: str
    dtype: str
    fingerprint: str
    adapter_of: str = ""
    matrix_library: str = ""


def scoring_model(description: ModelDescription) -> ScoringModel:
    """What the records of a model's scores say of it."""
    return ScoringModel(
        fingerprint=description.fingerprint,
        device=description.device,
        dtype=description.dtype,
        matrix_library=description.matrix_library,
        vocabulary=description.vocabulary,
    )

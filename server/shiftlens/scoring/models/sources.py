"""What a name stands for: a full model, or an adapter and the model that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.errors import ModelError
from shiftlens.model_files.adapter_files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    AdapterFolder,
    adapter_folder,
    has_full_model,
)
from shiftlens.model_files.gguf_file import gguf_path
from shiftlens.model_files.local import model_folder
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.checkpoint_files import check_no_pointers

_ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, "*.json", "*.jinja", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """`name` as the user gave it, `full_model` that of the model to load, and the adapter to put on it, if any."""

    name: str
    full_model: str
    adapter: AdapterFolder | None = None

    @property
    def full_model_place(self) -> str:
        """Equal for two sources of one full model: its folder or file, or its name where it is not on this machine."""
        folder = gguf_path(self.full_model) or model_folder(self.full_model)
        return str(folder.resolve()) if folder is not None else self.full_model

    @property
    def kind(self) -> str:
        """What peft calls the kind of the adapter; "" for a full model."""
        return str(self.adapter.settings.get("peft_type", "")) if self.adapter is not None else ""


def find_source(name: str, spec: PairSpec) -> ModelSource:
    """Read what is there under a name. Raises ModelError for an adapter that can't be used as it is."""
    if gguf_path(name) is not None:
        return ModelSource(name, name)
    folder = model_folder(name)
    if folder is None and spec.allow_download:
        folder = _fetched_adapter(name)
    if folder is not None and folder.is_dir():
        check_no_pointers(name, folder)
    try:
        adapter = adapter_folder(folder) if folder is not None else None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The `{ADAPTER_CONFIG}` of {name} can't be read: {error}.", "Check that its files are whole."
        ) from error
    if folder is None or adapter is None:
        return ModelSource(name, name)
    if has_full_model(folder):
        raise ModelError(
            f"{name} holds both a whole model and an adapter.", "Name a folder that holds only the one you mean."
        )
    if not adapter.adapted_model:
        raise ModelError(
            f"The adapter {name} does not say which model it was trained on.",
            f"Set `base_model_name_or_path` in its `{ADAPTER_CONFIG}`.",
        )
    _check_adapted_model(name, adapter, spec)
    return ModelSource(name, adapter.adapted_model, adapter)


def _check_adapted_model(name: str, adapter: AdapterFolder, spec: PairSpec) -> None:
    adapted = model_folder(adapter.adapted_model)
    remedy = f"Set `base_model_name_or_path` in its `{ADAPTER_CONFIG}` to a folder with the model it was trained on."
    revision = adapter.settings.get("revision")
    if revision not in (None, "main") and not Path(resolve_model_name(adapter.adapted_model)).is_dir():
        raise ModelError(
            f"The adapter {name} was trained on the revision {revision} of {adapter.adapted_model}; ShiftLens loads"
            " only `main`.",
            remedy,
        )
    if adapted is None and not spec.allow_download:
        raise ModelError(
            f"The adapter {name} was trained on {adapter.adapted_model}, which is not on this machine.",
            f"Fetch that model. Or, where it lies elsewhere: {remedy[0].lower()}{remedy[1:]}",
        )
    if adapted is not None and (adapted / ADAPTER_CONFIG).is_file():
        raise ModelError(
            f"The adapter {name} was trained on {adapter.adapted_model}, which is an adapter itself.", remedy
        )


def _fetched_adapter(name: str) -> Path | None:
    """The local snapshot of an adapter of the hub, fetched; None where the name is not that of an adapter there."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        hf_hub_download(name, ADAPTER_CONFIG)
        return Path(snapshot_download(name, allow_patterns=list(_ADAPTER_FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError):
        # A whole model, or nothing: loading says which.
        return None

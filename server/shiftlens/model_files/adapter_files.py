"""What the files of an adapter say of it. No torch here: the server asks too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterFolder:
    """A folder with a PEFT adapter. `adapted_model` names the model it was trained on; "" where it does not say."""

    folder: Path
    adapted_model: str
    settings: dict[str, object]


def adapter_folder(folder: Path) -> AdapterFolder | None:
    """The adapter in a folder; None where there is none. Raises OSError or ValueError for one that can't be read."""
    config = folder / ADAPTER_CONFIG
    if not config.is_file():
        return None
    settings = json.loads(config.read_text(encoding="utf-8"))
    if not isinstance(settings, dict):
        raise ValueError(f"{ADAPTER_CONFIG} holds no object")
    adapted_model = settings.get("base_model_name_or_path")
    return AdapterFolder(folder, adapted_model if isinstance(adapted_model, str) else "", settings)


def has_full_model(folder: Path) -> bool:
    """Whether a folder holds the weights of a full model, alone or beside an adapter."""
    return (folder / "config.json").is_file() and any(
        file.name != ADAPTER_WEIGHTS
        for pattern in ("*.safetensors", "pytorch_model*.bin")
        for file in folder.glob(pattern)
    )

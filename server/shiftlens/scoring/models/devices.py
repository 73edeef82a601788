"""Where a model is computed, and in which numbers."""

from __future__ import annotations

import torch
from transformers.configuration_utils import PreTrainedConfig

from shiftlens.errors import ModelError
from shiftlens.scoring.models.checkpoint_files import CONFIG

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str) -> torch.device:
    """The device named, or the best one for "auto": CUDA, then MPS, then CPU. Raises ModelError."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(wanted.split(":")[0], False):
        there = ", ".join(kind for kind, ready in available.items() if ready)
        raise ModelError(
            f"The device {wanted!r} is not available here.", f"Set the device to auto, or one of: {there}."
        )
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device, config: PreTrainedConfig) -> torch.dtype:
    """The dtype named; for "auto" float32 on a CPU, elsewhere the checkpoint's own. Raises ModelError."""
    if wanted != "auto":
        if wanted not in _DTYPES:
            raise ModelError(f"There is no dtype {wanted!r}.", f"Use auto or one of: {', '.join(_DTYPES)}.")
        return _DTYPES[wanted]
    if device.type == "cpu":
        return torch.float32
    own = getattr(config, "dtype", None)
    if not isinstance(own, torch.dtype):
        return torch.float32
    if not own.is_floating_point:
        raise ModelError(
            f"The `{CONFIG}` of {config.name_or_path} names {own} as its dtype, which holds no real numbers.",
            f"Set the dtype (`shiftlens.dtype`, `--dtype`) to one of: {', '.join(_DTYPES)}.",
        )
    return own

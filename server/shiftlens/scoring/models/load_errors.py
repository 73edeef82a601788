"""What goes wrong in the libraries that load models, as errors that name the model and say what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from shiftlens.errors import ModelError, ShiftLensError

T = TypeVar("T")

OR_ALLOW_PICKLES = (
    ", or, if you trust it, allow pickles (`shiftlens.allowPickle`, `--allow-pickle`) and name it in your settings or"
    " on the command line: neither the front matter of a file nor an adapter can choose a pickle."
)
_LONGEST_QUOTE = 300


class NotEnoughMemory(ModelError):
    """A model does not fit into what is left of the device's memory."""


def guarded(name: str, load: Callable[[], T], *, offline: bool = True, file: str = "") -> T:
    """What `load` returns. Whatever a library raises comes out as a ModelError; `file` is what it was reading."""
    try:
        return load()
    except ShiftLensError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise out_of_memory(name) from error
    except Exception as error:
        raise _explained(name, error, offline, file) from error


def _explained(name: str, error: Exception, offline: bool, file: str) -> ModelError:
    said = " ".join(str(error).split())
    lowered = said.lower()
    if "trust_remote_code" in lowered or "custom code" in lowered:
        return ModelError(
            f"{name} needs code from its own repository to run.",
            "ShiftLens runs no remote code: choose another model.",
        )
    if "out of memory" in lowered or "can't allocate memory" in lowered:
        return out_of_memory(name)
    if "safetensors" in lowered and "does not appear to have" in lowered:
        return ModelError(
            f"{name} has no safetensors weights, only a pickle, which can run code when it is opened.",
            f"Choose a revision with safetensors{OR_ALLOW_PICKLES}",
        )
    if offline and isinstance(error, (OSError, ValueError)) and _speaks_of_the_hub(lowered):
        return ModelError(
            f"{name} is not in the local Hugging Face cache.",
            "Fetch it with `hf download`, allow downloads (`shiftlens.allowDownload`, `--allow-download`), or name"
            " a folder.",
        )
    what = type(error).__name__ + (f": {said[:_LONGEST_QUOTE]}" if said else "")
    if file:
        return ModelError(f"The `{file}` of {name} can't be used ({what}).", "Check that its files are whole.")
    return ModelError(
        f"{name} could not be loaded ({what}).", "Check the name or folder, and that its files are whole."
    )


def _speaks_of_the_hub(said: str) -> bool:
    return any(word in said for word in ("cached", "local", "connect", "offline"))


def out_of_memory(name: str) -> NotEnoughMemory:
    return NotEnoughMemory(
        f"There is not enough memory for {name}.",
        "Unload other models, or choose a smaller dtype or another device.",
    )

"""Access to the Hugging Face hub: only while a pair is loaded that may be downloaded.

transformers fetches more than is asked for: kernels that a configuration names, conversions, newer revisions.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_TRUE = {"1", "ON", "YES", "TRUE"}


def stay_offline(environment: os._Environ[str] = os.environ) -> None:
    """Have this process reach no hub, and load no kernels from there, unless `hub_access` lets it.

    To be called before any library of the hub is imported.
    """
    if any(environment.get(name, "").upper() in _TRUE for name in _OFFLINE):
        environment[_BY_USER] = "1"
    for name in (*_OFFLINE, "HF_DATASETS_OFFLINE"):
        environment[name] = "1"
    environment["USE_HUB_KERNELS"] = "NO"
    environment.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    environment.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


_BY_USER = "SHIFTLENS_HUB_OFFLINE_BY_USER"


@contextlib.contextmanager
def hub_access(allowed: bool) -> Iterator[None]:
    """While this lasts, the hub can be reached if that is `allowed` and the user's environment does not forbid it."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = not allowed or os.environ.get(_BY_USER) == "1"
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before

"""Where the tokenizer of a model on a server is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shiftlens.errors import ModelError
from shiftlens.model_files.local import model_folder

_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def tokenizer_place(name: str, places: Sequence[str], *, allow_download: bool) -> str:
    """The first of the places that a server tells which has a tokenizer on this machine.

    Where none has and downloads are allowed, the first that may be a name of the hub. Raises ModelError.
    """
    for place in places:
        folder = model_folder(place)
        if folder is not None and any((folder / file).is_file() for file in _FILES):
            return place
    fetched = next((place for place in places if _HUB_NAME.fullmatch(place)), None)
    if allow_download and fetched is not None:
        return fetched
    told = " and ".join(places) or "none"
    raise ModelError(
        f"The tokenizer of {name} is not on this machine (the server tells: {told}).",
        "Name a folder or a model with the same tokenizer by `;tokenizer=PLACE` behind the model's name.",
    )

"""An environment for processes in which torch, transformers and what comes with them are not installed."""

from __future__ import annotations

import os
from pathlib import Path

ABSENT = ("numpy", "peft", "safetensors", "tokenizers", "torch", "transformers")

# The finder of the path is asked as before, but for these, which it does not find, as where they are not installed.
_CUSTOMIZE = f"""\
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {ABSENT!r} else find(name, path, target)

PathFinder.find_spec = find_spec
"""


def without_models(folder: Path) -> dict[str, str]:
    """The environment; `folder` is for its files."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_CUSTOMIZE, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder)}

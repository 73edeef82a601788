"""Where the real parts lie that the oracles are made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("SHIFTLENS_ORACLES", ""))
"""What `pip install --target` made of tests/oracles/oracles.lock."""


def oracle(*parts: str) -> Path:
    """A file or folder of an installed package. Skips the test where the packages are not there."""
    if not os.environ.get("SHIFTLENS_ORACLES"):
        pytest.skip("the oracles' packages are not installed: run `make oracles`", allow_module_level=True)
    path = FOLDER.joinpath(*parts)
    # Inside `make oracles` nothing may be skipped.
    assert path.exists(), f"{'/'.join(parts)} is not among the oracles' packages"
    return path


def templates(*, training: bool) -> dict[str, str]:
    """The chat templates of `trl` by name: those that models ship, or those changed to mark the assistant's words."""
    found = sorted(oracle("trl", "chat_templates").glob("*.jinja"))
    return {p.stem: p.read_text(encoding="utf-8") for p in found if p.stem.endswith("_training") is training}

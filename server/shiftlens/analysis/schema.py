"""The JSON schema of what `contract` writes, as a file beside it, so that the wheel holds both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("schema.json")


def schema() -> dict[str, Any]:
    """The schema of the object of one file, draft 2020-12."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found

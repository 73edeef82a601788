"""Writes the names of all transcript formats into the setting `shiftlens.format` of package.json."""

from __future__ import annotations

import json
from pathlib import Path

from shiftlens.transcripts.registry import formats

MANIFEST = Path(__file__).with_name("package.json")

manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
(setting,) = (
    group["properties"]["shiftlens.format"]
    for group in manifest["contributes"]["configuration"]
    if "shiftlens.format" in group["properties"]
)
setting["enum"] = ["", *(each.name for each in formats())]
setting["enumDescriptions"] = ["Detect the format of each file.", *(each.summary for each in formats())]
MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

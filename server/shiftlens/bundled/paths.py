"""Where the bundled models and transcripts lie."""

from __future__ import annotations

from pathlib import Path

from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE

_HERE = Path(__file__).resolve().parent
_MODELS = {BUNDLED_BASE: _HERE / "base", BUNDLED_ALIGNED: _HERE / "aligned"}


def resolve_model_name(name: str) -> str:
    """The folder of a `bundled:` name; any other name as it is."""
    folder = _MODELS.get(name)
    return str(folder) if folder is not None else name


def transcripts() -> tuple[Path, ...]:
    """The sample transcripts, sorted by name."""
    return tuple(sorted(p for p in (_HERE / "transcripts").iterdir() if p.suffix in {".txt", ".md", ".json", ".jsonl"}))

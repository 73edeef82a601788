"""Where results are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from shiftlens.scores.store import DEFAULT_LIMIT_BYTES, ResultStore

CACHE_DIR_VARIABLE = "SHIFTLENS_CACHE_DIR"
"""The environment variable that names another folder than the user's cache folder."""


def cache_folder() -> Path:
    """The folder that SHIFTLENS_CACHE_DIR names, else ours in the user's cache folder. It need not exist."""
    named = os.environ.get(CACHE_DIR_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("shiftlens", appauthor=False)


def user_store(limit_bytes: int = DEFAULT_LIMIT_BYTES) -> ResultStore:
    """The user's own store. Nothing is made on disk before something is kept."""
    folder = cache_folder()
    return ResultStore(folder / "scores.sqlite3", limit_bytes, earlier=folder / "results.sqlite3")

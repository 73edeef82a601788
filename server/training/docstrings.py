"""Documentation strings of the CPython standard library (PSF licence): text that this project did not write."""

from __future__ import annotations

import ast
import inspect
import sysconfig
import warnings
from pathlib import Path

_SKIPPED = {"test", "tests", "idlelib", "site-packages", "lib2to3", "turtledemo", "__pycache__", "encodings"}
_MIN_CHARS, _MAX_CHARS = 60, 1200


def standard_library_docstrings() -> list[str]:
    """Each docstring once, in the order of the files' paths; depends only on the Python version."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, None] = {}
    for path in sorted(root.rglob("*.py")):
        if _SKIPPED.isdisjoint(path.relative_to(root).parts):
            for text in _docstrings(path):
                if _MIN_CHARS <= len(text) <= _MAX_CHARS and "```" not in text:
                    found.setdefault(text)
    return list(found)


def _docstrings(path: Path) -> list[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, owners))
    return [inspect.cleandoc(text) for text in texts if text]

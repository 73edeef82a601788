"""Whether this installation can run models at all: one for review only has no torch and no transformers."""

from __future__ import annotations

from importlib.util import find_spec

from shiftlens.errors import EngineError

_RUN_MODELS = ("torch", "transformers")


def why_no_models() -> EngineError | None:
    """Why nothing can be scored here; None where models can be run. Imports neither of the two."""
    missing = [name for name in _RUN_MODELS if find_spec(name) is None]
    if not missing:
        return None
    are = "is" if len(missing) == 1 else "are"
    return EngineError(
        f"This installation is for review only: {' and '.join(missing)} {are} not installed, so that nothing can be"
        " scored.",
        'To score, install the models\' part: "ShiftLens: Install Server" in VS Code, or `pip install shiftlens`'
        " (with all that it needs) elsewhere.",
    )

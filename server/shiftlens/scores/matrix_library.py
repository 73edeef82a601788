"""Which library `auto` means on this machine, for engines and for those who look for kept results. No torch here.

The two libraries of `scoring.numbers.products` round differently, and which of them is the quicker one is measured: by
itself, each engine could decide anew. So the first one writes down what it found, all later ones go by that, and
results are kept under the library that gave them: those of two libraries are never mixed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from pathlib import Path

from shiftlens.options.pair import AUTO_LIBRARY, MATRIX_LIBRARIES
from shiftlens.scores.location import cache_folder


def expected_library(wanted: str) -> str:
    """The library that a pair with this setting will be scored with; "" where no engine has decided on `auto` yet."""
    return wanted if wanted != AUTO_LIBRARY else remembered()


def remembered() -> str:
    """What was measured on this kind of processor with this release of torch; "" where nothing was."""
    try:
        found = _file().read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return found if found in MATRIX_LIBRARIES and found != AUTO_LIBRARY else ""


def remember(library: str) -> str:
    """Write down what was measured, and give what counts from now on: what another engine has written before."""
    target = _file()
    # Where nothing can be written, results can't be kept either.
    with contextlib.suppress(OSError):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(library)
            if not remembered():
                target.unlink(missing_ok=True)
                # Unlike a renaming, this leaves what another engine has written meanwhile.
                os.link(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
    return remembered() or library


def _file() -> Path:
    from importlib import metadata

    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = ""
    digest = hashlib.sha256("\0".join((_processor(), platform.machine(), torch)).encode()).hexdigest()
    return cache_folder() / f"matrix-library-{digest[:12]}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.node()

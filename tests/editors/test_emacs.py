"""What Emacs shows with the settings of docs/editors.md: with lsp-mode and with eglot, where these are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("editors are run in a terminal of Unix", allow_module_level=True)

from editors.on_screen import TALK, home, said_by, settings_of

EMACS = shutil.which("emacs")
pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]


def said_with(package: str, heading: str, folder: Path) -> Any:
    if EMACS is None:
        pytest.skip("Emacs is not installed")
    (folder / ".emacs.d").mkdir()
    (folder / ".emacs.d" / "init.el").write_text(settings_of(heading, "elisp"), encoding="utf-8")
    (folder / "talk.txt").write_text(TALK, encoding="utf-8")
    environment = home(folder)
    has = [
        "emacs",
        "--batch",
        "--eval",
        f'(progn (package-initialize) (kill-emacs (if (locate-library "{package}") 0 1)))',
    ]
    if subprocess.run(has, env=dict(environment), capture_output=True, timeout=60, check=False).returncode:
        pytest.skip(f"Emacs has no {package} here")
    look = Path(__file__).with_name("emacs.el")
    return said_by([EMACS, "-nw", "-l", str(look), "talk.txt"], environment, folder)


def test_lsp_mode_colours_shifted_tokens_and_marks_runs(tmp_path: Path) -> None:
    said = said_with("lsp-mode", "Emacs with lsp-mode", tmp_path)
    assert (said["face"], said["bold"]) == ("shiftlens-shifted", "bold")
    ((text, message),) = said["marked"]
    assert text == "Great question! Air scatters blue light"
    assert "shifted: Great question!" in message


def test_eglot_marks_runs(tmp_path: Path) -> None:
    said = said_with("eglot", "Emacs with eglot", tmp_path)
    ((text, message),) = said["marked"]
    assert text == "Great question! Air scatters blue light"
    assert "shifted: Great question!" in message

"""What Neovim shows with the settings of docs/editors.md. `SHIFTLENS_NVIM` names another one than that of the PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("editors are run in a terminal of Unix", allow_module_level=True)

from editors.on_screen import TALK, home, said_by, settings_of

NEOVIM = os.environ.get("SHIFTLENS_NVIM") or shutil.which("nvim")
pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]


def why_not() -> str:
    """Why it can't be run; "" where it can."""
    if NEOVIM is None:
        return "Neovim is not installed"
    said = subprocess.run([NEOVIM, "--version"], capture_output=True, timeout=60, check=True).stdout.decode()
    version = re.search(r"NVIM v(\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < (0, 11):
        return f"{said.splitlines()[0]} is older than 0.11"
    return ""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if why := why_not():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("neovim")
    (folder / "init.lua").write_text(settings_of("Neovim", "lua"), encoding="utf-8")
    (folder / "talk.txt").write_text(TALK, encoding="utf-8")
    look = Path(__file__).with_name("neovim.lua")
    command = [str(NEOVIM), "-u", "init.lua", "talk.txt", "-c", f"luafile {look}"]
    return said_by(command, home(folder), folder)


def test_a_shifted_token_has_the_colour_of_the_page(said: Any) -> None:
    assert "@lsp.type.shifted.text" in said["groups"]
    assert (said["shifted"]["fg"], said["shifted"]["bold"], said["shifted"]["underline"]) == (0xD70000, True, True)


def test_a_hint_behind_it_tells_the_base_models_choice(said: Any) -> None:
    assert said["hints"][0].startswith("base: The ")


def test_a_run_of_shifted_tokens_is_an_information(said: Any) -> None:
    (run,) = said["diagnostics"]
    assert (run["severity"], run["lnum"], run["col"]) == ("INFO", 2, 11)
    assert "shifted: Great question!" in run["message"]


def test_the_line_above_a_response_tells_its_shares(said: Any) -> None:
    assert said["lenses"][0] == "12 tokens: 75.0% shifted, 16.7% marginal, 8.3% unshifted"


def test_the_key_goes_to_the_next_shifted_token_whose_hover_has_both_distributions(said: Any) -> None:
    assert said["cursor"] == [3, 11]
    for word in ("Shifted", "base", "aligned"):
        assert word.lower() in said["hover"].lower()

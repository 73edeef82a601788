"""The pages on settings and options and on kinds of tokens are what the code declares."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shiftlens.cli.main import COMMANDS

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["settings", "kinds"])
def test_a_page_that_is_made_of_code_is_up_to_date(name: str) -> None:
    command = [sys.executable, "-X", "utf8", str(REPOSITORY / "docs" / f"{name}_page.py")]
    written = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode().replace("\r\n", "\n")
    page = (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page == written, "run `make docs`"


def test_the_page_tells_of_every_setting_and_every_command(page: str) -> None:
    manifest = json.loads((REPOSITORY / "extension" / "package.json").read_text(encoding="utf-8"))
    for group in manifest["contributes"]["configuration"]:
        for name in group["properties"]:
            assert f"### `{name}`\n" in page
    for command in COMMANDS:
        assert f"## shiftlens {command}\n" in page


def test_the_page_tells_where_a_setting_can_also_be_made(page: str) -> None:
    top_k = page.partition("### `shiftlens.topK`")[2].partition("###")[0]
    assert "- in front matter: `top-k`" in top_k
    assert "- on the command line: `--top-k`" in top_k
    device = page.partition("### `shiftlens.device`")[2].partition("###")[0]
    assert "front matter" not in device

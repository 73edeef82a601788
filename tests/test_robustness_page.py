"""The page on robustness names the limits that there are, and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

from shiftlens.cli.files import _DEFAULT_MAX_BYTES
from shiftlens.engine.sharing.hosting import LOST_SECONDS
from shiftlens.lsp.documents.diagnostics import MOST_PROBLEMS
from shiftlens.options.settings import Settings
from shiftlens.scores import database
from shiftlens.scores.store import DEFAULT_LIMIT_BYTES
from shiftlens.scoring.inputs import template_limits
from shiftlens.scoring.models import adapter_patterns
from shiftlens.transcripts.conversation import MAX_RESPONSES, MAX_TURNS

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "robustness.md").read_text(encoding="utf-8")


def row(begins: str) -> str:
    (found,) = re.findall(rf"^\| {re.escape(begins)} \|.*$", PAGE, re.MULTILINE)
    return str(found)


def test_every_limit_is_the_one_of_the_program() -> None:
    million = 1_000_000
    assert f"({Settings().max_file_bytes // million} MB in the editor)" in row("a file")
    assert f"({_DEFAULT_MAX_BYTES // million} MB)" in row("a file")
    assert f"| {MAX_RESPONSES:,} |" in row("responses of a file")
    assert f"| {MAX_RESPONSES:,} |" in row("items of one list in JSON")
    assert f"| {MAX_TURNS:,} |" in row("turns of a conversation")
    assert f"| {MOST_PROBLEMS} |" in row("problems shown in an editor")
    template = f"| {template_limits.SECONDS:.0f} seconds, {template_limits.MOST_CHARACTERS:,} characters |"
    assert template in row("templates of one response")
    assert f"| {adapter_patterns.SECONDS:.0f} seconds," in row("regular expressions of an adapter")
    assert f"| {adapter_patterns.MOST_ENTRIES:,} |" in row("entries of a list in an adapter's configuration")
    assert f"| {DEFAULT_LIMIT_BYTES >> 20} MiB |" in row("scores kept on disk")


def test_every_wait_is_as_long_as_the_page_says() -> None:
    assert f"{database._BUSY_SECONDS:.0f} seconds" in row("another program locks the store")
    (after,) = re.findall(r"\| (\d+) seconds later", row("the editor or the server is killed"))
    assert int(after) > LOST_SECONDS


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:tests|extension)/[\w./]+)`", PAGE))
    assert len(named) > 20
    assert {name for name in named if not (REPOSITORY / name.split("::")[0]).exists()} == set()

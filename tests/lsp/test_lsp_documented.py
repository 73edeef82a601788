"""The page about the language server names what the server has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lsprotocol import types

from shiftlens.analysis.runs import MOST_APART
from shiftlens.lsp.server.serving import create_server
from shiftlens.lsp.views.lenses import OWN_COMMANDS
from shiftlens.lsp.views.run_diagnostics import MOST_RUNS
from shiftlens.options.settings import Settings

_PAGE = Path(__file__).parents[2] / "docs" / "language-server.md"
_IN_WORDS = {2: "two"}


@pytest.fixture(scope="module")
def page() -> str:
    if not _PAGE.is_file():
        pytest.skip("the documentation is not beside the tests")
    return _PAGE.read_text(encoding="utf-8")


def test_every_command_is_on_the_page_and_no_other(page: str) -> None:
    listed = re.findall(r"^\| `(shiftlens\.\w+)` \|", page, re.MULTILINE)
    assert set(listed) == set(create_server().protocol.fm.commands)


def test_every_request_of_our_own_is_on_the_page_and_no_other(page: str) -> None:
    features = create_server().protocol.fm.features
    listed = re.findall(r"^\| `(shiftlens/\w+)` \|", page, re.MULTILINE)
    assert set(listed) == {name for name in features if name.startswith("shiftlens/")}


def test_every_view_of_the_protocol_is_on_the_page(page: str) -> None:
    features = set(create_server().protocol.fm.features)
    views = {name for name in features if name.startswith("textDocument/") and "/did" not in name}
    views = {name.removesuffix("/full").removesuffix("/range").removesuffix("/full/delta") for name in views}
    assert types.TEXT_DOCUMENT_INLAY_HINT in views
    assert {name for name in views if f"`{name}`" not in page} == set()


def test_the_page_has_the_numbers_the_settings_and_the_clients_commands(page: str) -> None:
    assert f"at most **{_IN_WORDS[MOST_APART - 1]}** others" in page
    assert f"({MOST_RUNS} at most" in page
    assert all(f"`{name}`" in page for name in OWN_COMMANDS)
    for setting, default in re.findall(r"\| `(\w+)` \((on|off)\) \|", page):
        assert Settings().as_json()[setting] is (default == "on")

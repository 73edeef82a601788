"""A document with a sidecar shows its scores, also where nothing could score it; a real server tells what is stale."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lsp.lsp_client import EditorClient, started
from lsp.test_lsp_pages import opened_page
from sidecars import NAMES, write_sidecar
from without_models import without_models

TALK = "User: q\nAssistant: ab\n\nUser: r\nAssistant: cd\n"
Settings = dict[str, Any]

pytestmark = pytest.mark.slow


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


async def opened(talk: Path, settings: Settings | None = None, options: Any = None) -> tuple[EditorClient, str]:
    """A server where no torch is installed, with the document open."""
    program = "import runpy; runpy.run_module('shiftlens', run_name='__main__')"
    env = without_models(talk.parent / "site")
    command = ("/usr/bin/env", f"PYTHONPATH={env['PYTHONPATH']}", sys.executable, "-c", program, "serve")
    client = await started(*command, settings=settings, options=options)
    return client, client.open(talk.read_text(encoding="utf-8"), uri=talk.as_uri())


async def states(client: EditorClient, uri: str) -> list[str]:
    answer = await client.ask("shiftlens/analysis", {"uri": uri})
    return [response["state"] for response in answer["responses"]]


async def test_a_document_shows_the_scores_of_its_sidecar_where_no_torch_is(talk: Path) -> None:
    write_sidecar(talk)
    client, uri = await opened(talk)
    status = await client.until_state(uri, "ready")
    assert status["message"].startswith("Scored by lab/base and lab/aligned on ")
    assert status["message"].endswith(", from talk.txt.shiftlens.arrow.")
    assert await client.tokens(uri)
    hover = await client.hover(uri, 1, 11)
    assert hover is not None
    assert "lab/base" in str(hover.contents) or "rank 9" in str(hover.contents)
    answer = await client.ask("shiftlens/analysis", {"uri": uri})
    assert (answer["models"]["base"], answer["models"]["aligned"]) == NAMES
    assert not client.messages
    assert await client.leave() == 0


async def test_what_changed_since_is_told_with_the_command_that_scores_it(talk: Path) -> None:
    write_sidecar(talk)
    talk.write_text(TALK.replace("cd", "ce"), encoding="utf-8")
    client, uri = await opened(talk)
    status = await client.until_state(uri, "notScored")
    assert "1 of 2 responses: scored by lab/base and lab/aligned" in status["message"]
    assert "1 has changed since, or was not scored." in status["message"]
    assert "`shiftlens analyze talk.txt --save`" in status["message"]
    assert await states(client, uri) == ["scored", "pending"]
    # Undone, and all is known again.
    client.change(uri, TALK, 2)
    await client.until_state(uri, "ready", version=2)
    assert await states(client, uri) == ["scored", "scored"]
    assert await client.leave() == 0


async def test_a_sidecar_of_another_text_is_stale(talk: Path) -> None:
    write_sidecar(talk, text=TALK.replace("b", "x").replace("c", "y"))
    client, uri = await opened(talk)
    status = await client.until_state(uri, "noPair")
    assert "talk.txt.shiftlens.arrow is stale: all responses, or what stands before them, changed" in status["message"]
    assert await client.leave() == 0


async def test_a_hostile_sidecar_is_told_and_the_server_goes_on(talk: Path) -> None:
    sidecar = write_sidecar(talk)
    sidecar.write_bytes(sidecar.read_bytes()[:-200] + b"\xff" * 200)
    client, uri = await opened(talk)
    status = await client.until_state(uri, "noPair")
    assert "talk.txt.shiftlens.arrow is cut off." in status["message"]
    assert "delete it, or have it written anew" in status["message"]
    # What replaces it is read.
    write_sidecar(talk)
    await client.command("shiftlens.score", uri)
    await client.until_state(uri, "ready")
    assert await client.leave() == 0


async def test_names_and_tokens_of_a_sidecar_are_shown_as_text(talk: Path) -> None:
    write_sidecar(talk, names=("[x](command:evil)<img src=x>", "a`b"))
    client, uri = await opened(talk)
    await client.until_state(uri, "ready")
    hover = await client.hover(uri, 1, 11)
    assert hover is not None
    assert "<img" not in str(hover.contents)
    assert "[x](command:" not in str(hover.contents)
    assert await client.leave() == 0


async def test_in_an_untrusted_workspace_a_sidecar_is_shown(talk: Path) -> None:
    write_sidecar(talk)
    client, uri = await opened(talk, {"base": "lab/base", "aligned": "lab/aligned"}, {"trusted": False})
    await client.until_state(uri, "ready")
    assert await client.leave() == 0


async def test_a_user_can_have_no_sidecars_read(talk: Path) -> None:
    write_sidecar(talk)
    client, uri = await opened(talk, {"sidecars": "never"})
    await client.until_state(uri, "noPair")
    assert await client.leave() == 0


async def test_who_asks_for_scores_where_nothing_can_score_is_told_what_to_install(talk: Path) -> None:
    client, uri = await opened(talk, {"base": "bundled:base", "aligned": "bundled:aligned"})
    status = await client.until_state(uri, "notScored")
    assert "for review only: torch and transformers are not installed" in status["message"]
    assert not client.messages
    await client.command("shiftlens.score", uri)
    await client.until(lambda: bool(client.messages))
    assert "Install Server" in client.messages[0].message
    assert await client.leave() == 0


async def test_a_closed_file_is_surveyed_with_its_sidecar(talk: Path) -> None:
    write_sidecar(talk)
    other = talk.with_name("other.txt")
    other.write_text(TALK, encoding="utf-8")
    client, _ = await opened(other)
    answer = await client.ask("shiftlens/survey", {"uri": talk.as_uri()})
    assert [response["state"] for response in answer["responses"]] == ["scored", "scored"]
    assert await client.leave() == 0


async def test_the_reading_view_shows_the_scores_of_its_files_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "ab"}]}\n')
    write_sidecar(path)
    client, _ = await opened(path)
    page, _ = await opened_page(client, path.as_uri())
    await client.until_state(page, "ready")
    assert await states(client, page) == ["scored"]
    assert await client.leave() == 0

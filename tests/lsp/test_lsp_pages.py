"""The reading view over LSP: a record file as a page of turns, coloured, with the way back to the file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from lsprotocol import types

from lsp.lsp_client import SECONDS, EditorClient, started

pytestmark = pytest.mark.usefixtures("lasting_engines")

ANSWER = "Great question!"
RECORDS = [
    {"messages": [{"role": "user", "content": "Why is the sky\nblue?"}, {"role": "assistant", "content": ANSWER}]},
    {"messages": [{"role": "user", "content": "And the sea?"}, {"role": "assistant", "content": "It too."}]},
]
TEXT = "".join(json.dumps(record) + "\n" for record in RECORDS)


def page_uri(source: str) -> str:
    return f"shiftlens-conversation:/talk.jsonl?{quote(source, safe='')}"


async def written(client: EditorClient, uri: str) -> str:
    request = client.workspace_text_document_content_async(types.TextDocumentContentParams(uri))
    return (await asyncio.wait_for(request, SECONDS)).text


async def defined(client: EditorClient, uri: str, line: int, character: int) -> types.Location:
    request = client.text_document_definition_async(
        types.DefinitionParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
    )
    found = await asyncio.wait_for(request, SECONDS)
    assert isinstance(found, types.Location)
    return found


async def opened_page(client: EditorClient, source: str) -> tuple[str, str]:
    uri = page_uri(source)
    text = await written(client, uri)
    client.open(text, uri=uri)
    return uri, text


async def test_a_page_of_a_file_on_disk_is_coloured_as_the_file_is(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_text(TEXT)
    client = await started(settings=tiny_settings)
    uri, text = await opened_page(client, file.as_uri())
    assert f"── user ──\n\nWhy is the sky\nblue?\n\n── assistant ──\n\n{ANSWER}\n" in text
    await client.until_state(uri, "ready")
    on_page = await client.ask("shiftlens/analysis", {"uri": uri})
    source = client.open(TEXT, uri=file.as_uri())
    await client.until_state(source, "ready")
    in_file = await client.ask("shiftlens/analysis", {"uri": source})
    assert [r["summary"] for r in on_page["responses"]] == [r["summary"] for r in in_file["responses"]]
    assert await client.leave() == 0


async def test_the_definition_of_what_a_page_shows_is_its_place_in_the_file(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_text(TEXT)
    client = await started(settings=tiny_settings)
    uri, text = await opened_page(client, file.as_uri())
    line = text[: text.index("It too.")].count("\n")
    found = await defined(client, uri, line, 3)
    assert found.uri == file.as_uri()
    start = found.range.start
    assert TEXT.splitlines()[start.line][start.character :].startswith("too.")
    assert (await defined(client, uri, 0, 0)).range.start.line == 0
    assert await client.leave() == 0


async def test_a_page_follows_edits_of_its_open_file(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    client = await started(settings=tiny_settings)
    source = client.open(TEXT, uri=(tmp_path / "unsaved.jsonl").as_uri())
    await client.until_state(source, "ready")
    uri, text = await opened_page(client, source)
    await client.until_state(uri, "ready")
    changed = TEXT.replace("It too.", "It is, too.")
    client.change(source, changed, version=2)
    await client.until(lambda: uri in client.stale_pages)
    renewed = await written(client, uri)
    assert "It is, too." in renewed
    assert renewed != text
    assert await client.leave() == 0


async def test_a_file_that_is_no_transcript_says_so_on_its_page(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "prose.txt"
    file.write_text("Milk, eggs and a loaf of bread.\n")
    client = await started(settings=tiny_settings)
    _, text = await opened_page(client, file.as_uri())
    assert text.startswith("This is not a transcript")
    _, missing = await opened_page(client, (tmp_path / "nowhere.jsonl").as_uri())
    assert "can't be read" in missing
    assert await client.leave() == 0

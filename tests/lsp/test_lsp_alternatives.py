"""What the models would have said, as ghost text and written beside the response, asked by a client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp.lsp_client import EditorClient, capabilities, started
from processes import SECONDS

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why?\n\nAssistant: Great question! So it is.\n"


async def scored(settings: dict[str, Any], text: str = TALK) -> tuple[EditorClient, str]:
    client = await started(settings=settings)
    uri = client.open(text)
    await client.until_state(uri, "ready")
    return client, uri


async def ghost(client: EditorClient, uri: str, line: int, character: int) -> types.InlineCompletionItem | None:
    params = types.InlineCompletionParams(
        types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked),
        types.TextDocumentIdentifier(uri),
        types.Position(line, character),
    )
    answer = await asyncio.wait_for(client.text_document_inline_completion_async(params), SECONDS)
    if answer is None:
        return None
    assert isinstance(answer, types.InlineCompletionList)
    return answer.items[0] if answer.items else None


async def test_ghost_text_is_the_base_models_continuation_where_a_token_begins(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored({**tiny_settings, "inlineCompletions": True})
    place = {"line": 2, "character": 11}
    answer = await client.ask("shiftlens/continue", {"uri": uri, "position": place})
    base = "".join(token["text"] for token in answer["tokens"] if token["voice"] == 0)
    item = await ghost(client, uri, **place)
    assert item is not None
    assert item.insert_text == base
    cursor = types.Position(**place)
    assert item.range == types.Range(cursor, cursor)
    assert await ghost(client, uri, 0, 2) is None
    assert await client.leave() == 0


async def test_ghost_text_in_a_file_of_json_is_as_it_stands_in_a_string(
    tiny_settings: dict[str, Any],
) -> None:
    text = json.dumps(
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "One, two."}]}
    )
    client, uri = await scored({**tiny_settings, "inlineCompletions": True}, text)
    place = {"line": 0, "character": text.index(", two")}
    answer = await client.ask("shiftlens/continue", {"uri": uri, "position": place})
    base = "".join(token["text"] for token in answer["tokens"] if token["voice"] == 0)
    item = await ghost(client, uri, **place)
    assert item is not None
    assert isinstance(item.insert_text, str)
    at = place["character"]
    accepted = json.loads(text[:at] + item.insert_text + text[at:])
    assert accepted["messages"][1]["content"] == f"One{base}, two."
    assert await client.leave() == 0


async def test_there_is_no_ghost_text_where_a_file_holds_text_in_a_form_of_its_own(
    tiny_settings: dict[str, Any],
) -> None:
    text = "- role: user\n  content: Why?\n- role: assistant\n  content: One, two.\n"
    client, uri = await scored({**tiny_settings, "inlineCompletions": True, "format": "yaml"}, text)
    place = {"line": 3, "character": text.splitlines()[3].index(",")}
    assert (await client.ask("shiftlens/continue", {"uri": uri, "position": place}))["tokens"]
    assert await ghost(client, uri, **place) is None
    assert await client.leave() == 0


async def test_ghost_text_is_off_unless_a_setting_turns_it_on(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    assert await ghost(client, uri, 2, 11) is None
    assert await client.leave() == 0


async def test_ghost_text_is_offered_to_clients_that_have_a_use_for_it(tiny_settings: dict[str, Any]) -> None:
    caps = capabilities()
    assert caps.text_document is not None
    caps.text_document.inline_completion = None
    client = await started(settings=tiny_settings, caps=caps)
    assert client.answer_to_initialise.capabilities.inline_completion_provider is None
    assert await client.leave() == 0
    other = await started(settings=tiny_settings)
    assert other.answer_to_initialise.capabilities.inline_completion_provider == types.InlineCompletionOptions()
    assert await other.leave() == 0


def applied(text: str, client: EditorClient, version: int) -> str:
    """The text after the one edit that the client was asked for, which is of the version it had."""
    (asked,) = client.edits
    assert asked.edit.document_changes is not None
    (change,) = asked.edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == version
    (edit,) = change.edits
    assert isinstance(edit, types.TextEdit)
    lines = text.splitlines(keepends=True)
    start, end = (
        sum(map(len, lines[: at.line])) + at.character for at in (edit.range.start, edit.range.end)
    )  # fmt: skip
    return text[:start] + edit.new_text + text[end:]


async def test_an_alternative_is_written_beside_the_response_from_the_token_there_on(
    tiny_settings: dict[str, Any],
) -> None:
    text = json.dumps(
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "One, two."}]}
    )
    client, uri = await scored(tiny_settings, text)
    position = {"line": 0, "character": text.index(", two")}
    answer = await client.command("shiftlens.insertAlternative", uri, position, ' "if"\nso.')
    assert answer["written"] == "conversation"
    found = applied(text, client, 1)
    first, second = found.splitlines()
    assert first == text
    assert json.loads(second)["messages"][1]["content"] == 'One "if"\nso.'
    assert answer["range"]["start"] == {"line": 0, "character": len(text)}
    assert await client.leave() == 0


async def test_where_nothing_is_scored_nothing_is_written_and_what_can_not_be_is_an_error(
    tiny_settings: dict[str, Any],
) -> None:
    client, uri = await scored(tiny_settings)
    place = {"line": 2, "character": 20}
    assert await client.command("shiftlens.insertAlternative", uri, {"line": 0, "character": 1}, "x") is None
    with pytest.raises(JsonRpcException, match="reads back"):
        await client.command("shiftlens.insertAlternative", uri, place, "x\n\nUser: y\n\nAssistant: z")
    assert client.edits == []
    answer = await client.command("shiftlens.insertAlternative", uri, place, " x.")
    assert answer["written"] == "exchange"
    assert "with the same question" in answer["as"]
    assert await client.leave() == 0


async def test_a_client_that_takes_no_edits_is_told(tiny_settings: dict[str, Any]) -> None:
    caps = capabilities()
    assert caps.workspace is not None
    caps.workspace.apply_edit = False
    client = await started(settings=tiny_settings, caps=caps)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    with pytest.raises(JsonRpcException, match="did not take the edit"):
        await client.command("shiftlens.insertAlternative", uri, {"line": 2, "character": 20}, " x.")
    assert await client.leave() == 0

"""The kind of a token, and the user's word lists, through a real server."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path
from typing import Any

import pytest

from lsp.lsp_client import SECONDS, EditorClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

TALK = "User: Why is the sky blue?\nAssistant: Great question! The\nquick fox.\n"
MASKED = (
    '{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "The fox.", "weight": 0}]}\n'
)


async def kind_at(editor: EditorClient, uri: str, line: int, character: int) -> str:
    at = {"line": line, "character": character}
    kind: str = (await editor.ask("shiftlens/token", {"uri": uri, "position": at}))["tokens"][0]["kind"]
    return kind


async def test_a_hover_and_the_panel_tell_the_kind_and_the_list_of_responses_shares_by_kind(
    editor: EditorClient,
) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    hover = await editor.hover(uri, 1, 12)
    assert hover is not None
    assert "Kind: opener" in html.unescape(hover.contents.value)
    assert await kind_at(editor, uri, 1, 12) == "opener"
    assert await kind_at(editor, uri, 2, 1) == "content"
    summary = (await editor.ask("shiftlens/analysis", {"uri": uri}))["responses"][0]["summary"]
    counts = {of["kind"]: of["tokens"] for of in summary["byKind"]}
    assert {"content", "opener", "special or tool syntax"} <= set(counts)
    assert sum(counts.values()) == summary["tokens"]


async def test_word_lists_of_the_users_change_the_kinds_without_new_scores(
    editor: EditorClient, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    path = tmp_path / "words.json"
    path.write_text('{"en": {"openers": [], "hedges": ["quick fox"]}}', encoding="utf-8")
    before = len(editor.statuses)
    editor.reconfigure(**{**tiny_settings, "wordLists": str(path)})

    async def changed() -> None:
        # Colours stay as they are, so that nothing tells a client of new kinds: what it asks for next has them.
        while await kind_at(editor, uri, 2, 1) != "hedge":
            await asyncio.sleep(0)

    await asyncio.wait_for(changed(), SECONDS)
    assert await kind_at(editor, uri, 1, 12) == "content"
    assert "scoring" not in [status["state"] for status in editor.statuses[before:]]
    bad = tmp_path / "bad.json"
    bad.write_text('{"en": {"hedge": []}}', encoding="utf-8")
    editor.reconfigure(**{**tiny_settings, "wordLists": str(bad)})

    def told() -> bool:
        said = [each.message for params in editor.diagnostics for each in params.diagnostics if params.uri == uri]
        return any('"hedge" of "en" is no list that there is' in message for message in said)

    await editor.until(told)
    editor.reconfigure(**tiny_settings)


async def test_a_loss_mask_is_told_of_each_token_and_response(editor: EditorClient) -> None:
    uri = editor.open(MASKED, name="masked.jsonl")
    await editor.until_state(uri, "ready")
    hover = await editor.hover(uri, 0, MASKED.index("fox"))
    assert hover is not None
    assert "Training: the file says that this turn is not trained on" in html.unescape(hover.contents.value)
    (response,) = (await editor.ask("shiftlens/analysis", {"uri": uri}))["responses"]
    assert response["training"] == "the file says that this turn is not trained on"

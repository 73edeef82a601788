"""The columns of `shiftlens/tokens`, against what is coloured and what the panel is told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from lsp.lsp_client import EditorClient, spans
from shiftlens.text.lines import LineIndex

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Why is the sky blue?\nAssistant: Great question! é🙂 The\nquick fox.\n"
NUMBERS_PER_RANGE = 3


async def _scored(editor: EditorClient, text: str) -> tuple[str, dict[str, Any]]:
    uri = editor.open(text)
    await editor.until_state(uri, "ready")
    return uri, await editor.ask("shiftlens/tokens", {"uri": uri})


def _offsets(text: str, table: dict[str, Any]) -> list[tuple[int, int, str]]:
    lines = LineIndex(text)
    rows = zip(*[iter(table["ranges"])] * NUMBERS_PER_RANGE, table["classes"], strict=True)
    return [
        (lines.offset(line, start, "utf-16"), lines.offset(line, end, "utf-16"), table["legend"][kind])
        for line, start, end, kind in rows
    ]


async def test_the_table_has_the_ranges_and_classes_of_the_colours(editor: EditorClient) -> None:
    uri, table = await _scored(editor, TALK)
    coloured = [span[:3] for span in spans(TALK, await editor.tokens(uri), "utf-16")]
    assert _offsets(TALK, table) == coloured
    assert table["version"] == table["analysedVersion"] == 1


async def test_every_token_has_the_numbers_that_the_panel_shows(editor: EditorClient) -> None:
    uri, table = await _scored(editor, TALK)
    for at, (kl, prob) in enumerate(zip(table["kl"], table["baseProb"], strict=True)):
        line, start, _ = table["ranges"][NUMBERS_PER_RANGE * at : NUMBERS_PER_RANGE * (at + 1)]
        found = await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": line, "character": start}})
        parts = [token for token in found["tokens"] if not token["isEnd"]]
        assert kl == pytest.approx(max(token["kl"] for token in parts), rel=1e-3)
        assert prob == pytest.approx(min(token["base"]["prob"] for token in parts), rel=1e-3)


async def test_after_an_edit_the_others_have_moved(editor: EditorClient) -> None:
    uri, table = await _scored(editor, TALK)
    text = TALK.replace("quick", "quiiick")
    editor.change(uri, text, 2)
    moved = await editor.ask("shiftlens/tokens", {"uri": uri})
    await editor.until_state(uri, "ready", version=2)
    assert 0 < len(moved["kl"]) <= len(table["kl"])
    assert all(one[1] <= two[0] for one, two in pairwise(_offsets(text, moved)))


async def test_a_document_without_scores_has_no_table(editor: EditorClient) -> None:
    uri = editor.open("Milk, eggs and a loaf of bread.\n")
    await editor.until_state(uri, "noTranscript")
    assert await editor.ask("shiftlens/tokens", {"uri": uri}) is None
    assert await editor.ask("shiftlens/tokens", {"uri": "file:///not/open.txt"}) is None

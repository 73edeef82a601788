"""The report of an open document, over the wire."""

from __future__ import annotations

import pytest

from lsp.lsp_client import EditorClient
from shiftlens.report.page import is_report

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Is <b>this</b> bold?\nAssistant: No, <b>that</b> is text.\n"


async def test_the_report_is_of_what_the_document_shows(editor: EditorClient) -> None:
    uri = editor.open(TALK, name="a talk.txt")
    await editor.until_state(uri, "ready")
    page = await editor.command("shiftlens.report", uri)
    assert is_report(page[:2000].encode())
    assert ">a talk.txt</h2>" in page
    assert "<b>" not in page
    assert "has changed" not in page


async def test_a_report_after_an_edit_says_that_the_text_is_another(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    with editor.set_to(runPolicy="manual"):
        editor.change(uri, TALK.replace("No,", "Yes,"), 2)
        page = await editor.command("shiftlens.report", uri)
    assert "The file has changed since these scores were made." in page


async def test_there_is_no_report_without_scores(editor: EditorClient) -> None:
    uri = editor.open("Dear diary,\n", name="diary.txt")
    await editor.until_state(uri, "noTranscript")
    assert await editor.command("shiftlens.report", uri) is None
    assert await editor.command("shiftlens.report", "file:///never/opened.txt") is None

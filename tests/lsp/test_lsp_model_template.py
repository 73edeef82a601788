"""A document that the aligned model's own chat template wrote is a transcript while that model is chosen."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from lsp.lsp_client import decode, started
from unusual_templates import ENDLESS, GUILLEMETS, INSTRUCTIONS, with_template

TALK = "«user» Why?\n«assistant» Great question!«over»\n"


async def test_a_document_follows_the_template_of_the_chosen_model(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    own = {**tiny_settings, "aligned": with_template(tiny_settings["aligned"], tmp_path / "aligned", GUILLEMETS)}
    client = await started(settings=own)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    assert "".join(text for text, _, _ in decode(TALK, await client.tokens(uri), "utf-16")) in "Great question!"
    assert (await client.ask("shiftlens/analysis", {"uri": uri}))["format"] == "model-template"
    longer = f"{TALK}«user» Really?\n«assistant» I hope so.«over»\n"
    client.change(uri, longer, 2)
    await client.until_state(uri, "ready", version=2)
    assert len((await client.ask("shiftlens/analysis", {"uri": uri}))["responses"]) == 2
    client.reconfigure(**tiny_settings)
    await client.until_state(uri, "noTranscript")
    assert await client.tokens(uri) == []
    client.reconfigure(**own)
    await client.until_state(uri, "ready")
    assert await client.leave() == 0


async def test_what_the_template_marks_for_training_is_told_of_each_token_and_response(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    own = {**tiny_settings, "aligned": with_template(tiny_settings["aligned"], tmp_path / "aligned", INSTRUCTIONS)}
    client = await started(settings=own)
    uri = client.open("User: Why?\nAssistant: Great question!\n")
    await client.until_state(uri, "ready")
    hover = await client.hover(uri, 1, 12)
    assert hover is not None
    counted = "Loss mask: counted: the chat template marks this token as the assistant's"
    assert counted in html.unescape(hover.contents.value)
    (response,) = (await client.ask("shiftlens/analysis", {"uri": uri}))["responses"]
    (of,) = response["summary"]["byLossMask"]
    assert (of["kind"], of["tokens"]) == ("counted", response["summary"]["tokens"])
    assert await client.leave() == 0


async def test_the_server_answers_while_a_template_without_end_is_rendered(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    endless = with_template(tiny_settings["aligned"], tmp_path / "endless", ENDLESS)
    client = await started(settings={**tiny_settings, "aligned": endless, "format": "model-template"})
    uri = client.open(TALK)
    # It answers at once, not after the template was stopped.
    assert await client.tokens(uri) == []
    assert not any(status["state"] == "error" for status in client.statuses)
    status = await client.until_state(uri, "error")
    assert "it was stopped after 10 seconds" in status["message"]
    assert await client.leave() == 0

"""Scores outlive the server: a scored file shows its colours again without any model."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from lsp.lsp_client import EditorClient, started
from shiftlens.scores.location import user_store

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why is the sky blue?\nAssistant: Great question! The quick brown fox.\n"
OTHER = TALK + "User: And now?\nAssistant: Now it jumps.\n"
Settings = dict[str, Any]


async def engine_pid(client: EditorClient) -> int | None:
    pid: int | None = (await client.command("shiftlens.debugInformation"))["enginePid"]
    return pid


async def scored(settings: Settings, text: str = TALK) -> list[int]:
    """The colours of a text in a server of its own, which has an engine score it."""
    client = await started(settings=settings)
    uri = client.open(text)
    await client.until_state(uri, "ready")
    assert await engine_pid(client) is not None
    colours = await client.tokens(uri)
    assert await client.leave() == 0
    return colours


async def kept(settings: Settings, text: str = TALK) -> list[int]:
    """The colours of a text in a server of its own that is to score nothing; none where nothing was kept of it."""
    client = await started(settings={**settings, "runPolicy": "manual"})
    uri = client.open(text)
    await client.until_state(uri, "ready", "notScored")
    colours = await client.tokens(uri)
    assert await engine_pid(client) is None
    assert await client.leave() == 0
    return colours


async def test_a_scored_file_has_its_colours_and_hovers_in_the_next_server_without_an_engine(
    tiny_settings: Settings,
) -> None:
    first = await started(settings=tiny_settings)
    uri = first.open(TALK)
    await first.until_state(uri, "ready")
    colours, hover = await first.tokens(uri), await first.hover(uri, 1, 14)
    assert colours
    assert hover is not None
    assert await first.leave() == 0

    second = await started(settings={**tiny_settings, "runPolicy": "manual"})
    uri = second.open(TALK)
    await second.until_state(uri, "ready")
    assert await second.tokens(uri) == colours
    assert await second.hover(uri, 1, 14) == hover
    assert await engine_pid(second) is None
    assert {status["state"] for status in second.statuses} == {"ready"}
    assert await second.leave() == 0


async def test_only_what_is_new_in_a_file_is_scored(tiny_settings: Settings) -> None:
    await scored(tiny_settings)
    client = await started(settings={**tiny_settings, "runPolicy": "manual"})
    uri = client.open(OTHER)
    await client.until_state(uri, "notScored")
    answer = await client.ask("shiftlens/analysis", {"uri": uri})
    assert [response["state"] for response in answer["responses"]] == ["scored", "pending"]
    assert await engine_pid(client) is None
    assert await client.leave() == 0


async def test_what_was_only_typed_is_not_written_until_it_is_saved(tiny_settings: Settings) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    for version, ending in enumerate((" jumps", " jumps over", " jumps over the dog"), start=2):
        client.change(uri, TALK.rstrip() + ending, version)
        await client.until_state(uri, "ready", version=version)
    client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
    other = client.open("User: q\nAssistant: a\n")
    await client.until_state(other, "ready")
    assert await client.leave() == 0
    assert user_store().stats().entries == 3
    assert await kept(tiny_settings, TALK.rstrip() + " jumps over the dog")
    assert not await kept(tiny_settings, TALK.rstrip() + " jumps over")


async def test_a_user_can_keep_scores_off_the_disk(tiny_settings: Settings) -> None:
    without = {**tiny_settings, "resultCache": False}
    await scored(without)
    assert not user_store().path.exists()
    await scored(tiny_settings)
    assert not await kept(without)


async def test_clearing_the_cache_forgets_every_score_and_keeps_the_colours(tiny_settings: Settings) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    colours = await client.tokens(uri)
    assert await client.command("shiftlens.clearCache") == {"removed": 1, "problem": None}
    assert user_store().stats().entries == 0
    assert await client.tokens(uri) == colours
    client.reconfigure(**{**tiny_settings, "runPolicy": "manual"})
    again = client.open(TALK)
    await client.until_state(again, "notScored")
    assert await client.tokens(again) == []
    assert await client.leave() == 0


@pytest.fixture
def own_pair(tiny_settings: Settings, tmp_path: Path) -> Settings:
    """A copy of the tiny pair that a test may change."""
    for side in ("base", "aligned"):
        shutil.copytree(tiny_settings[side], tmp_path / side)
    return {**tiny_settings, "base": str(tmp_path / "base"), "aligned": str(tmp_path / "aligned")}


def retrain(settings: Settings) -> None:
    """What a trainer does that writes another checkpoint to the same folder."""
    os.utime(Path(settings["aligned"]) / "model.safetensors", ns=(1, 1))


async def test_a_changed_model_has_nothing_kept(own_pair: Settings) -> None:
    colours = await scored(own_pair)
    assert await kept(own_pair) == colours
    retrain(own_pair)
    assert await kept(own_pair) == []


async def test_scores_of_a_model_whose_files_have_changed_since_are_not_kept(own_pair: Settings) -> None:
    client = await started(settings=own_pair)
    await client.until_state(client.open(TALK), "ready")
    retrain(own_pair)
    await client.until_state(client.open(OTHER), "ready")
    assert await client.leave() == 0
    assert user_store().stats().entries == 1


async def test_a_broken_store_is_no_ones_trouble(tiny_settings: Settings) -> None:
    path = user_store().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database" * 500)
    colours = await scored(tiny_settings)
    assert await kept(tiny_settings) == colours

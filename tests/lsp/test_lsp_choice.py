"""No models are loaded that nobody chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from lsp.lsp_client import EditorClient, capabilities, started

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why is the sky blue?\nAssistant: Great question!\n"


async def engine(client: EditorClient) -> int | None:
    pid: int | None = (await client.command("shiftlens.debugInformation"))["enginePid"]
    return pid


async def test_without_a_pair_the_bundled_one_is_offered_once_and_nothing_scored() -> None:
    client = await started()
    first, second = client.open(TALK), client.open(TALK + "x")
    await client.until_state(first, "noPair")
    await client.until_state(second, "noPair")
    await client.until(lambda: len(client.questions) > 0)
    assert await client.tokens(first) == []
    assert await client.hover(first, 0, 2) is None
    hover = await client.hover(first, 1, 14)
    assert hover is not None
    assert "Not scored yet" in hover.contents.value
    assert "No model pair is chosen" in hover.contents.value
    assert await engine(client) is None
    assert len(client.questions) == 1
    assert [action.title for action in client.questions[0].actions or ()] == ["Use the bundled pair", "Open settings"]
    assert await client.leave() == 0


async def test_a_file_that_is_no_transcript_offers_nothing() -> None:
    client = await started()
    uri = client.open("prose\n")
    await client.until_state(uri, "noTranscript")
    assert not client.questions
    assert await client.leave() == 0


async def test_accepting_the_offer_scores_with_the_bundled_pair() -> None:
    client = await started()
    client.answer = "Use the bundled pair"
    uri = client.open(TALK)
    await client.until_state(uri, "loading", "scoring", "ready", "error")
    info = await client.command("shiftlens.debugInformation")
    assert info["sessionPair"] == ["bundled:base", "bundled:aligned"]
    assert await client.leave() == 0


async def test_open_settings_is_passed_to_the_editor() -> None:
    client = await started()
    client.answer = "Open settings"
    uri = client.open(TALK)
    await client.until(lambda: bool(client.notifications))
    assert client.notifications == [("shiftlens/openSettings", {"section": "shiftlens"})]
    assert client.latest(uri)["state"] == "noPair"
    assert await client.leave() == 0


async def test_an_editor_that_can_ask_for_a_pair_itself_is_told_to() -> None:
    client = await started(options={"picksModels": True})
    client.answer = "Choose models..."
    client.open(TALK)
    await client.until(lambda: bool(client.notifications))
    assert client.notifications == [("shiftlens/chooseModels", {})]
    assert await client.leave() == 0


async def test_the_models_of_this_machine_are_told_with_their_sizes(
    tiny_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    client = await started()
    names = ["bundled:base", tiny_settings["base"], "org/nowhere"]
    answer = await client.command("shiftlens.localModels", names)
    assert [(model["name"], model["where"]) for model in answer["named"]] == [
        *zip(names, ["bundled", "folder", "missing"], strict=True)
    ]
    assert [model["size"] > 0 for model in answer["named"]] == [True, True, False]
    assert answer["cached"] == []
    assert await client.leave() == 0


async def test_an_untrusted_workspace_loads_none_of_its_models(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings, options={"trusted": False})
    front = f"---\nshiftlens:\n  base: {tiny_settings['base']}/.\n  aligned: {tiny_settings['aligned']}/.\n---\n"
    for text, state in ((TALK, "notScored"), (front + TALK, "noPair")):
        uri = client.open(text)
        status = await client.until_state(uri, state)
        assert "not trusted" in status["message"]
        await client.command("shiftlens.score", uri)
        assert await client.command("shiftlens.scoreResponses", uri, _range(text.count("\n") - 1, 13)) == 1
        assert await client.tokens(uri) == []
    assert client.latest(uri)["state"] == "noPair"
    assert await engine(client) is None
    assert await client.leave() == 0


async def test_an_untrusted_workspace_shows_the_scores_of_before_without_any_model(
    tiny_settings: dict[str, Any],
) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    colours = await client.tokens(uri)
    assert await client.leave() == 0
    client = await started(settings=tiny_settings, options={"trusted": False})
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    assert await client.tokens(uri) == colours
    other = client.open(TALK + "User: And the sea?\nAssistant: It too.\n")
    status = await client.until_state(other, "notScored")
    assert status["part"] == [1, 2]
    assert "not trusted" in status["message"]
    assert await client.tokens(other) == colours
    assert await engine(client) is None
    assert await client.leave() == 0


def _range(line: int, character: int) -> dict[str, Any]:
    place = {"line": line, "character": character}
    return {"start": place, "end": place}


async def test_front_matter_chooses_the_pair_of_its_file(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings={"device": "cpu"})
    front = f"---\nshiftlens:\n  base: {tiny_settings['base']}\n  aligned: {tiny_settings['aligned']}\n---\n"
    uri = client.open(front + TALK)
    await client.until_state(uri, "ready")
    assert await client.tokens(uri)
    assert not client.questions
    assert await client.leave() == 0


async def test_settings_pushed_by_a_client_that_answers_no_questions_are_used(tiny_settings: dict[str, Any]) -> None:
    caps = capabilities(configuration=False, progress=False, refresh=False, hover_formats=("plaintext",))
    client = await started(caps=caps, options={"settings": {**tiny_settings, "topK": 3}})
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    hover = await client.hover(uri, 1, 12)
    assert hover is not None
    assert hover.contents.kind == "plaintext"
    assert "&#" not in hover.contents.value
    assert "3 " in hover.contents.value
    assert "\n4 " not in hover.contents.value
    assert client.configuration_requests == 0
    assert client.refreshes == 0
    assert not client.progress
    assert await client.leave() == 0


@pytest.mark.usefixtures("engine_of_this_test", "processes_start_cold")
async def test_progress_is_shown_and_ends_and_cancelling_it_stops_the_job(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    # An engine that starts by itself imports torch, which takes longer than the bar waits to be shown.
    await client.until(lambda: any(_kind(value) == "begin" for _, value in client.progress))
    token = client.progress[0][0]
    client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    status = await client.until_state(uri, "notScored")
    assert "cancelled" in status["message"]
    await client.until(lambda: (token, "end") in [(t, _kind(v)) for t, v in client.progress])
    assert await client.tokens(uri) == []
    assert await client.command("shiftlens.score", uri) is True
    await client.until_state(uri, "ready")
    tokens = [t for t, value in client.progress if value == "create"]
    assert len(tokens) == len(set(tokens))
    begun = [t for t, value in client.progress if _kind(value) == "begin"]
    await client.until(lambda: begun == [t for t, value in client.progress if _kind(value) == "end"])
    assert (await client.command("shiftlens.debugInformation"))["progressTokens"] == 0
    assert await client.leave() == 0


@pytest.mark.usefixtures("engine_of_this_test", "processes_start_cold")
async def test_cancelling_by_command_keeps_what_is_shown(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    await client.until_state(uri, "loading")
    assert await client.command("shiftlens.cancel", uri) is True
    await client.until_state(uri, "notScored")
    assert await client.command("shiftlens.cancel", uri) is False
    assert await client.leave() == 0


def _kind(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)

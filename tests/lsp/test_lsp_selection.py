"""Scoring some responses of a document and leaving the others as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lsp.lsp_client import EditorClient, started
from shiftlens.lsp.jobs.document_work import touched
from shiftlens.transcripts.read import read

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("lasting_engines")]

LINES = (
    "User: Why is the sky blue?",
    "Assistant: Great question!",
    "User: And the sea?",
    "Assistant: The quick brown fox.",
    "User: And the grass?",
    "Assistant: I hope this helps.",
)
TALK = "\n".join(LINES) + "\n"


def between(line: int, character: int, end_line: int | None = None, end_character: int | None = None) -> dict[str, Any]:
    start = {"line": line, "character": character}
    end = start if end_line is None else {"line": end_line, "character": end_character}
    return {"start": start, "end": end}


async def states(client: EditorClient, uri: str) -> list[str]:
    answer = await client.ask("shiftlens/analysis", {"uri": uri})
    return [response["state"] for response in answer["responses"]]


@pytest.fixture
def manual(editor: EditorClient) -> Iterator[EditorClient]:
    with editor.set_to(runPolicy="manual"):
        yield editor


async def test_a_cursor_touches_the_response_it_stands_in_and_a_selection_each_it_overlaps() -> None:
    transcript = read(TALK, filename="talk.txt")
    assert transcript is not None
    first, second, third = (TALK.index(text) for text in ("Great", "The quick", "I hope"))
    assert touched(transcript, first, first) == {0}
    assert touched(transcript, first + len("Great question!"), first + len("Great question!")) == {0}
    assert touched(transcript, 3, 3) == set()
    assert touched(transcript, first + 2, second + 2) == {0, 1}
    assert touched(transcript, 0, first) == set()
    assert touched(transcript, 0, len(TALK)) == {0, 1, 2}
    assert touched(transcript, third, third + 1) == {2}


async def test_the_response_at_the_cursor_is_scored_though_the_policy_is_manual_and_no_other(
    manual: EditorClient,
) -> None:
    uri = manual.open(TALK)
    await manual.until_state(uri, "notScored")
    assert await manual.command("shiftlens.scoreResponses", uri, between(3, 14)) == 1
    await manual.until(lambda: manual.latest(uri).get("part") == [1, 3])
    status = await manual.until_state(uri, "notScored")
    assert "for the rest" in status["message"]
    assert await states(manual, uri) == ["pending", "scored", "pending"]


async def test_a_selection_scores_each_response_it_touches_and_the_colours_of_the_others_stay(
    manual: EditorClient,
) -> None:
    text = TALK.replace("brown fox", "lazy dog")
    uri = manual.open(text)
    await manual.until_state(uri, "notScored")
    assert await manual.command("shiftlens.scoreResponses", uri, between(5, 14)) == 1
    await manual.until(lambda: manual.latest(uri).get("part") == [1, 3])
    last = (await manual.tokens(uri))[5:]
    assert await manual.command("shiftlens.scoreResponses", uri, between(1, 13, 3, 14)) == 2
    status = await manual.until_state(uri, "ready")
    assert status["part"] is None
    assert await states(manual, uri) == ["scored", "scored", "scored"]
    assert (await manual.tokens(uri))[-len(last) :] == last


async def test_a_place_outside_of_responses_scores_nothing(manual: EditorClient) -> None:
    uri = manual.open(TALK.replace("helps", "jumps"))
    before = await manual.until_state(uri, "notScored")
    assert await manual.command("shiftlens.scoreResponses", uri, between(0, 8)) == 0
    assert await manual.command("shiftlens.scoreResponses", "file:///nowhere.txt", between(0, 8)) == 0
    assert manual.latest(uri) == before


async def test_two_responses_asked_for_one_soon_after_the_other_are_both_scored(manual: EditorClient) -> None:
    uri = manual.open(TALK.replace("quick", "slow"))
    await manual.until_state(uri, "notScored")
    assert await manual.command("shiftlens.scoreResponses", uri, between(1, 14)) == 1
    assert await manual.command("shiftlens.scoreResponses", uri, between(5, 14)) == 1
    await manual.until(lambda: manual.latest(uri).get("part") == [2, 3])
    assert await states(manual, uri) == ["scored", "pending", "scored"]


@pytest.mark.usefixtures("engine_of_this_test", "processes_start_cold")
async def test_what_was_under_way_goes_on_after_the_responses_that_were_asked_for(
    tiny_settings: dict[str, Any],
) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    # The engine starts by itself and the models load, which takes longer than the command.
    await client.until_state(uri, "loading")
    assert await client.command("shiftlens.scoreResponses", uri, between(5, 14)) == 1
    await client.until_state(uri, "ready")
    assert await states(client, uri) == ["scored", "scored", "scored"]
    assert await client.leave() == 0

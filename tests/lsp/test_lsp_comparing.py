"""A file under several base contexts, and its noise floor, asked by a client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from lsp.lsp_client import EditorClient, decode, started

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why?\n\nAssistant: Great question! So it is.\n"
SECONDS = 60


def linked(answer: dict[str, Any], text: str) -> list[tuple[str, str]]:
    """What each link of a page stands on, and what it leads to in the document."""
    page, lines = answer["text"].split("\n"), text.split("\n")

    def piece(of: list[str], place: dict[str, Any]) -> str:
        start, end = place["start"], place["end"]
        assert start["line"] == end["line"]
        found: str = of[start["line"]][start["character"] : end["character"]]
        return found

    return [(piece(page, link["range"]), piece(lines, link["target"])) for link in answer["links"]]


async def opened(settings: dict[str, Any], uri: str | None = None) -> tuple[EditorClient, str]:
    client = await started(settings=settings)
    uri = client.open(TALK, uri=uri)
    await client.until_state(uri, "ready")
    return client, uri


async def test_contexts_have_their_shares_and_the_tokens_whose_class_changes(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    client, uri = await opened(tiny_settings, (tmp_path / "a talk.txt").as_uri())
    answer = await client.ask("shiftlens/contexts", {"uri": uri})
    assert [each["name"] for each in answer["contexts"]] == ["aligntds", "chat", "raw", "few-shot"]
    (response,) = answer["responses"]
    shown = (await client.ask("shiftlens/analysis", {"uri": uri}))["responses"][0]["summary"]
    assert response["summaries"][0]["shifted"] == shown["shifted"]
    assert response["changed"] == len(response["tokens"]) == answer["changed"] > 0
    for token in response["tokens"]:
        place = {"uri": uri, "position": token["range"]["start"]}
        at_place = (await client.ask("shiftlens/token", place))["tokens"][0]
        assert (at_place["index"], at_place["class"]) == (token["index"], token["contexts"][0]["class"])
        assert len({each["class"] for each in token["contexts"]}) > 1
    assert "Base contexts side by side: a talk.txt" in answer["text"]
    assert f"shiftlens contexts '{tmp_path / 'a talk.txt'}' --base " in answer["text"]
    assert "--base-context" not in answer["text"]
    found = linked(answer, TALK)
    assert [text for _, text in found] == [token["text"] for token in response["tokens"]]
    starts = [token["range"]["start"] for token in response["tokens"]]
    assert [place for place, _ in found] == [f"{at['line'] + 1}:{at['character'] + 1}" for at in starts]
    assert await client.leave() == 0


async def test_contexts_that_are_named_are_compared_in_that_order_and_are_not_scored_twice(
    tiny_settings: dict[str, Any],
) -> None:
    client, uri = await opened(tiny_settings)
    asked = {"uri": uri, "contexts": ["template:{{ messages[0].content }}", "raw"], "workDoneToken": "first"}
    answer = await client.ask("shiftlens/contexts", asked)
    assert [each["name"] for each in answer["contexts"]] == ["template", "raw"]
    assert answer["contexts"][0]["base_context"] == asked["contexts"][0]
    first = [value for token, value in client.progress if token == "first"]
    assert [first[0]["kind"], first[-1]["kind"]] == ["begin", "end"]
    again = await client.ask("shiftlens/contexts", {**asked, "workDoneToken": "second"})
    assert again == answer
    # What the engine is not asked for has no progress.
    assert [value["kind"] for token, value in client.progress if token == "second"] == ["begin", "end"]
    assert await client.leave() == 0


async def test_the_noise_floor_lists_what_lies_within_it(tiny_settings: dict[str, Any]) -> None:
    same = {**tiny_settings, "base": tiny_settings["aligned"], "baseContext": "chat"}
    client, uri = await opened(same)
    answer = await client.ask("shiftlens/noiseFloor", {"uri": uri, "workDoneToken": "noise"})
    assert answer["dtypes"] == {"real": "float32", "against": "bfloat16"}
    (response,) = answer["responses"]
    # Two identical models have nothing beyond the floor.
    assert answer["summary"]["shifted"]["beyond"] == 0
    shown = (await client.ask("shiftlens/analysis", {"uri": uri}))["responses"][0]["summary"]
    assert len(response["tokens"]) == shown["shifted"] + shown["marginal"] > 0
    inside = [token for token in response["tokens"] if not token.get("end_of_response")]
    assert [text for _, text in linked(answer, TALK)][: len(inside)] == [token["text"] for token in inside]
    assert "Beyond the noise floor: shifted 0 of" in answer["text"]
    assert "the aligned model in bfloat16" in " ".join(
        value.get("message", "") for token, value in client.progress if token == "noise"
    )
    other = await client.ask("shiftlens/noiseFloor", {"uri": uri, "against": "float16"})
    assert other["dtypes"] == {"real": "float32", "against": "float16"}
    rounded = await client.ask("shiftlens/noiseFloor", {"uri": uri, "against": "int8"})
    assert rounded["dtypes"] == {"real": "float32", "against": "int8"}
    assert rounded["floor"]["logprob"] > 0
    assert "moves by with its weights rounded to int8, from float32" in " ".join(rounded["text"].split())
    assert await client.leave() == 0


async def test_tokens_within_the_floor_are_so_among_the_colours_until_the_text_is_another_one(
    tiny_settings: dict[str, Any],
) -> None:
    same = {**tiny_settings, "base": tiny_settings["aligned"], "baseContext": "chat"}
    client, uri = await opened(same)

    async def colours(text: str) -> list[tuple[str, str, frozenset[str]]]:
        return decode(text, await client.tokens(uri), "utf-16")

    before, refreshes = await colours(TALK), client.refreshes
    assert before
    assert not any("withinNoise" in flags for _, _, flags in before)
    answer = await client.ask("shiftlens/noiseFloor", {"uri": uri})
    await client.until(lambda: client.refreshes > refreshes, "a request to fetch the colours anew")
    told = [token["text"] for token in answer["responses"][0]["tokens"] if not token.get("end_of_response")]
    marked = await colours(TALK)
    assert [text for text, _, flags in marked if "withinNoise" in flags] == told
    assert [(text, kind, flags - {"withinNoise"}) for text, kind, flags in marked] == before
    part = await client.text_document_semantic_tokens_range_async(
        types.SemanticTokensRangeParams(
            types.TextDocumentIdentifier(uri), types.Range(types.Position(2, 0), types.Position(3, 0))
        )
    )
    assert part is not None
    assert decode(TALK, list(part.data), "utf-16") == marked
    client.change(uri, f"{TALK}\n", 2)
    assert not any("withinNoise" in flags for _, _, flags in await colours(f"{TALK}\n"))
    assert await client.leave() == 0


async def test_places_are_those_of_the_text_as_it_is_then(tiny_settings: dict[str, Any]) -> None:
    client, uri = await opened({**tiny_settings, "runPolicy": "onOpen"})
    asked = {"uri": uri, "contexts": ["raw", "aligntds"]}
    before = await client.ask("shiftlens/contexts", asked)
    future = client.protocol.send_request("shiftlens/contexts", {"uri": uri, "contexts": ["chat", "few-shot", "raw"]})
    client.change(uri, f"\n\n{TALK}", 2)
    answer = await asyncio.wait_for(asyncio.wrap_future(future), SECONDS)
    text = {1: TALK, 2: f"\n\n{TALK}"}[answer["version"]]
    tokens = [token["text"] for token in answer["responses"][0]["tokens"]]
    assert [found for _, found in linked(answer, text)] == tokens
    assert before["version"] == 1
    assert await client.leave() == 0


async def test_a_cancelled_comparison_ends_and_the_engine_is_free(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings={**tiny_settings, "runPolicy": "manual"})
    uri = client.open(TALK)
    long = client.open("User: Why?\n\nAssistant:" + " So it is, and so it was." * 60 + "\n")
    await client.until_state(long, "notScored")
    asked = {"uri": long, "workDoneToken": "cancelled"}
    future = client.protocol.send_request("shiftlens/contexts", asked, msg_id="long")
    await client.until(lambda: any(token == "cancelled" for token, _ in client.progress), "the beginning")
    client.cancel_request(types.CancelParams(id="long"))
    with pytest.raises(JsonRpcException, match="cancel"):
        await asyncio.wait_for(asyncio.wrap_future(future), SECONDS)
    assert await client.ask("shiftlens/contexts", {"uri": uri, "contexts": ["raw", "chat"]})
    assert [value["kind"] for token, value in client.progress if token == "cancelled"][-1] == "end"
    assert await client.leave() == 0


async def test_what_is_no_transcript_has_no_answer_and_what_can_not_be_is_an_error_in_words(
    tiny_settings: dict[str, Any],
) -> None:
    client, uri = await opened(tiny_settings)
    diary = client.open("Dear diary,\n", name="diary.txt")
    for method in ("shiftlens/contexts", "shiftlens/noiseFloor"):
        assert await client.ask(method, {"uri": diary}) is None
        assert await client.ask(method, {"uri": "file:///never/opened.txt"}) is None
    for method, more, why in (
        ("shiftlens/contexts", {"contexts": ["raw"]}, "two base contexts"),
        ("shiftlens/contexts", {"contexts": ["raw", "raw"]}, "each once"),
        ("shiftlens/contexts", {"contexts": ["raw", "cooked"]}, "'cooked' is none of"),
        ("shiftlens/noiseFloor", {"against": "int4"}, "'int4' is none of"),
    ):
        with pytest.raises(JsonRpcException, match=why):
            await client.ask(method, {"uri": uri, **more})
    with pytest.raises(JsonRpcInvalidParams):
        await client.ask("shiftlens/contexts", {"uri": uri, "contexts": 4})
    # A template that can't be rendered is one context's affair; the page says which.
    answer = await client.ask("shiftlens/contexts", {"uri": uri, "contexts": ["raw", "template:{{"]})
    (missing,) = answer["not_compared"]
    assert (missing["index"], missing["contexts"], answer["responses"]) == (0, [1], [])
    assert "response 1 is not compared, because of template:" in answer["text"]
    assert await client.leave() == 0


async def test_an_untrusted_workspace_has_neither_its_models_nor_its_templates_run(
    tiny_settings: dict[str, Any],
) -> None:
    client = await started(settings=tiny_settings, options={"trusted": False})
    uri = client.open(TALK)
    await client.until_state(uri, "notScored")
    for method in ("shiftlens/contexts", "shiftlens/noiseFloor"):
        with pytest.raises(JsonRpcException, match="not trusted"):
            await client.ask(method, {"uri": uri})
    assert (await client.command("shiftlens.debugInformation"))["enginePid"] is None
    assert await client.leave() == 0


async def test_a_template_is_not_rendered_in_an_untrusted_workspace(tiny_settings: dict[str, Any]) -> None:
    bundled = {**tiny_settings, "base": "bundled:base", "aligned": "bundled:aligned", "runPolicy": "manual"}
    client = await started(settings=bundled, options={"trusted": False})
    uri = client.open(TALK)
    await client.until_state(uri, "notScored")
    with pytest.raises(JsonRpcException, match="templates are not used"):
        await client.ask("shiftlens/contexts", {"uri": uri, "contexts": ["raw", "template:x"]})
    assert await client.leave() == 0

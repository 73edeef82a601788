"""Whether a token mattered, asked by a client: whole, in parts, cancelled, refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from lsp.lsp_client import EditorClient, started

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why?\n\nAssistant: Great question! So it is.\n"
PLACE = {"line": 2, "character": 20}
SECONDS = 60


async def scored(tiny_settings: dict[str, Any]) -> tuple[EditorClient, str]:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    return client, uri


async def test_the_token_there_is_swapped_and_comes_again_the_same(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {"uri": uri, "position": PLACE, "samples": 2, "seed": 4, "maxTokens": 3}
    answer = await client.ask("shiftlens/crossSample", asked)
    token = await client.ask("shiftlens/token", {"uri": uri, "position": PLACE})
    (position,) = answer["positions"]
    assert position["index"] == token["tokens"][0]["index"]
    assert position["range"] == token["range"]
    assert position["base"]["choice"]["prob"] == token["tokens"][0]["base"]["top"][0]["prob"]
    assert [arm["arm"] for arm in position["arms"]] == ["swapped", "kept", "reverse", "base"]
    for arm in position["arms"]:
        assert [each["seed"] for each in arm["continuations"]] == [None, 4, 5]
    assert (answer["samples"], answer["seed"], answer["maxTokens"], answer["notSampled"]) == (2, 4, 3, [])
    assert await client.ask("shiftlens/crossSample", asked) == answer
    assert await client.leave() == 0


async def test_the_most_shifted_come_one_by_one_and_join_to_the_whole(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {"uri": uri, "position": PLACE, "most": 3, "samples": 0, "maxTokens": 3}
    whole = await client.ask("shiftlens/crossSample", asked)
    ranks = [position["base"]["rank"] for position in whole["positions"]]
    assert len(ranks) == 3
    assert ranks == sorted(ranks, reverse=True)
    answer = await client.ask("shiftlens/crossSample", {**asked, "partialResultToken": "parts"})
    values = [value for token, value in client.progress if token == "parts"]
    assert answer == {"positions": [], "notSampled": []}
    without_page = {key: value for key, value in whole.items() if key not in ("text", "links")}
    assert values[0] == {**without_page, "positions": [], "notSampled": []}
    assert [value["positions"] for value in values[1:]] == [[position] for position in whole["positions"]]
    assert await client.leave() == 0


async def test_the_answer_is_also_a_page_with_the_texts_the_seeds_and_the_command(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK, uri=(tmp_path / "talk.txt").as_uri())
    await client.until_state(uri, "ready")
    asked = {"uri": uri, "position": PLACE, "samples": 2, "seed": 4, "maxTokens": 3, "workDoneToken": "swaps"}
    answer = await client.ask("shiftlens/crossSample", asked)
    (position,) = answer["positions"]
    page = answer["text"]
    # Where lines are broken depends on the names of the models.
    in_one_line = " ".join(page.split())
    assert "3 tokens behind the position; seeds 4 to 5, temperature 1" in in_one_line
    for arm in position["arms"]:
        assert f"{arm['arm']}: the {arm['model']} model behind" in in_one_line
    command = f"shiftlens cross-sample {tmp_path / 'talk.txt'} --base {tiny_settings['base']}"
    assert command in page
    assert f"--response 1 --at {position['index']} --samples 2 --seed 4 --max-tokens 3" in page
    (link,) = answer["links"]
    assert link["target"] == position["range"]
    start = position["range"]["start"]
    assert page.split("\n")[link["range"]["start"]["line"]].startswith(f"{start['line'] + 1}:{start['character'] + 1} ")
    kinds = [value["kind"] for token, value in client.progress if token == "swaps"]
    assert (kinds[0], kinds[-1]) == ("begin", "end")
    assert await client.leave() == 0


async def test_a_page_of_several_positions_has_a_table_that_leads_to_each(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {"uri": uri, "position": PLACE, "most": 3, "samples": 0, "maxTokens": 3}
    answer = await client.ask("shiftlens/crossSample", asked)
    ranges = [position["range"] for position in answer["positions"]]
    assert [link["target"] for link in answer["links"]] == [*ranges, *ranges]
    assert await client.leave() == 0


async def test_the_most_shifted_are_swapped_in_one_go_and_the_page_says_which(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    client = await started(settings=tiny_settings)
    uri = client.open(TALK, uri=(tmp_path / "talk.txt").as_uri())
    await client.until_state(uri, "ready")
    asked = {"uri": uri, "position": PLACE, "most": 2, "together": True, "samples": 1, "maxTokens": 8}
    answer = await client.ask("shiftlens/crossSample", {**asked, "workDoneToken": "swaps"})
    (together,) = answer["together"]
    assert (answer["positions"], answer["notSampled"], together["response"]) == ([], [], 0)
    by_arm = {arm["arm"]: arm["continuations"] for arm in together["arms"]}
    assert list(by_arm) == ["swapped", "kept", "reverse", "base"]
    for name, continuations in by_arm.items():
        assert [each["seed"] for each in continuations] == [None, 0]
        for each in continuations:
            assert len(each["swaps"]) <= (2 if name in ("swapped", "reverse") else 0)
            assert all(swap["base_rank"] >= each["from_rank"] for swap in each["swaps"])
    assert by_arm["swapped"][0]["swaps"]
    page = " ".join(answer["text"].split())
    assert page.startswith("Did these tokens matter? talk.txt")
    assert "Up to 2 tokens swapped in one go, the most shifted; edit distance" in page
    assert "--response 1 --most 2 --together --samples 1 --seed 0 --max-tokens 8" in page
    first = by_arm["swapped"][0]["swaps"][0]
    assert f"token {first['index']}: " in page
    assert f"(base rank {first['base_rank']:,})" in page
    assert [value["kind"] for token, value in client.progress if token == "swaps"][-1] == "end"
    parts = await client.ask("shiftlens/crossSample", {**asked, "partialResultToken": "parts"})
    values = [value for token, value in client.progress if token == "parts"]
    assert parts == {"positions": [], "notSampled": [], "together": []}
    assert values[0]["together"] == []
    assert values[1:] == [{"together": [together]}]
    assert await client.leave() == 0


async def test_where_nothing_is_scored_the_answer_is_null(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {"uri": uri, "position": {"line": 0, "character": 1}}
    assert await client.ask("shiftlens/crossSample", asked) is None
    assert await client.leave() == 0


async def test_a_cancelled_request_ends_and_the_engine_is_free(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {
        "uri": uri,
        "position": PLACE,
        "most": 8,
        "maxTokens": 60,
        "samples": 20,
        "partialResultToken": "cancelled",
    }
    future = client.protocol.send_request("shiftlens/crossSample", asked, msg_id="long")
    await client.until(lambda: any(token == "cancelled" for token, _ in client.progress), "the header")
    client.cancel_request(types.CancelParams(id="long"))
    with pytest.raises(JsonRpcException, match="cancel"):
        await asyncio.wait_for(asyncio.wrap_future(future), SECONDS)
    assert await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": "x"})
    count = sum(token == "cancelled" for token, _ in client.progress)
    assert await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": "y"})
    assert count == sum(token == "cancelled" for token, _ in client.progress)
    assert await client.leave() == 0


async def test_what_can_not_be_is_an_error_in_words(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    for more, why in (
        ({"samples": 101}, "samples"),
        ({"most": 0}, "from 1 up"),
        ({"most": 0, "together": True}, "from 1 up"),
        ({"together": True}, "`most` is to be named"),
        ({"temperature": 0}, "temperature"),
        ({"seed": -1}, "Seeds"),
        ({"maxTokens": 0}, "tokens"),
    ):
        with pytest.raises(JsonRpcException, match=why):
            await client.ask("shiftlens/crossSample", {"uri": uri, "position": PLACE, **more})
    with pytest.raises(JsonRpcInvalidParams):
        await client.ask("shiftlens/crossSample", {"uri": uri, "position": PLACE, "most": "many"})
    assert await client.leave() == 0

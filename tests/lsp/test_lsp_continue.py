"""What the models would have said from a token on, asked by a client: whole, in parts, cancelled, refused."""

from __future__ import annotations

import asyncio
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


async def test_an_answer_has_the_voices_and_their_tokens_in_order(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {"uri": uri, "position": PLACE, "alpha": 0.5, "samples": 1, "seed": 4, "maxTokens": 3}
    answer = await client.ask("shiftlens/continue", asked)
    token = (await client.ask("shiftlens/token", {"uri": uri, "position": PLACE}))["tokens"][0]
    assert [(each["name"], each["seed"]) for each in answer["voices"]] == [
        (name, seed) for name in ("base", "aligned", "alpha 0.5") for seed in (None, 4)
    ]
    assert answer["maxTokens"] == 3
    assert answer["at"] > 0
    assert answer["said"]
    order = [each["voice"] for each in answer["tokens"]]
    assert order == sorted(order)
    assert set(order) == set(range(6))
    for voice in range(6):
        tokens = [each for each in answer["tokens"] if each["voice"] == voice]
        assert len(tokens) <= 3
        assert [each["end"] is None for each in tokens] == [True] * (len(tokens) - 1) + [False]
    again = await client.ask("shiftlens/continue", asked)
    assert again == answer
    assert token is not None
    assert await client.leave() == 0


async def test_partial_results_join_to_the_whole_and_the_answer_has_none_left(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    asked = {"uri": uri, "position": PLACE, "maxTokens": 4}
    whole = await client.ask("shiftlens/continue", asked)
    answer = await client.ask("shiftlens/continue", {**asked, "partialResultToken": "parts"})
    values = [value for token, value in client.progress if token == "parts"]
    assert answer == {"tokens": []}
    assert values[0] == {**whole, "tokens": []}
    assert [token for value in values[1:] for token in value["tokens"]] == whole["tokens"]
    assert all(len(value["tokens"]) == 1 for value in values[1:])
    assert await client.leave() == 0


async def test_a_cancelled_request_ends_and_the_engine_is_free(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    # By chance, since what is greedy may come to an end.
    asked = {
        "uri": uri,
        "position": PLACE,
        "maxTokens": 4000,
        "samples": 100,
        "partialResultToken": "cancelled",
    }
    future = client.protocol.send_request("shiftlens/continue", asked, msg_id="long")
    await client.until(lambda: sum(token == "cancelled" for token, _ in client.progress) > 3, "tokens")
    client.cancel_request(types.CancelParams(id="long"))
    with pytest.raises(JsonRpcException, match="cancel"):
        await asyncio.wait_for(asyncio.wrap_future(future), SECONDS)
    assert await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": "x"})
    count = sum(token == "cancelled" for token, _ in client.progress)
    assert await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": "y"})
    assert count == sum(token == "cancelled" for token, _ in client.progress)
    assert await client.leave() == 0


async def test_the_rank_of_what_is_said_is_that_of_the_token_there(tiny_settings: dict[str, Any]) -> None:
    client, uri = await scored(tiny_settings)
    continued = await client.ask("shiftlens/continue", {"uri": uri, "position": PLACE, "maxTokens": 1})
    table = await client.ask("shiftlens/tokens", {"uri": uri})
    answer = await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": continued["said"]})
    assert answer["text"] == continued["said"]
    assert [len(answer[side]["tokens"]) for side in ("base", "aligned")] == [1, 1]
    assert table is not None
    assert answer["base"]["tokens"][0]["rank"] >= 1
    assert await client.leave() == 0


async def test_where_nothing_is_scored_the_answer_is_null_and_what_can_not_be_is_an_error(
    tiny_settings: dict[str, Any],
) -> None:
    client, uri = await scored(tiny_settings)
    outside = {"uri": uri, "position": {"line": 0, "character": 1}}
    assert await client.ask("shiftlens/continue", outside) is None
    assert await client.ask("shiftlens/rank", {**outside, "text": "x"}) is None
    with pytest.raises(JsonRpcException, match="temperature"):
        await client.ask("shiftlens/continue", {"uri": uri, "position": PLACE, "temperature": 0})
    with pytest.raises(JsonRpcException, match="samples"):
        await client.ask("shiftlens/continue", {"uri": uri, "position": PLACE, "samples": -1})
    with pytest.raises(JsonRpcException, match="seeds"):
        await client.ask("shiftlens/continue", {"uri": uri, "position": PLACE, "seed": 10**30, "samples": 1})
    with pytest.raises(JsonRpcException, match="no tokens"):
        await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": ""})
    with pytest.raises(JsonRpcInvalidParams):
        await client.ask("shiftlens/continue", {"uri": uri, "position": PLACE, "maxTokens": "many"})
    assert await client.leave() == 0


async def test_the_engine_is_asked_as_the_settings_say_also_where_scores_were_on_disk(
    tiny_settings: dict[str, Any],
) -> None:
    client, _ = await scored(tiny_settings)
    assert await client.leave() == 0
    client, uri = await scored({**tiny_settings, "shareEngine": False})
    assert await client.ask("shiftlens/rank", {"uri": uri, "position": PLACE, "text": "x"})
    told = await client.command("shiftlens.debugInformation")
    assert told["enginePid"] not in [shared.get("enginePid") for shared in told["engines"]]
    assert await client.leave() == 0


async def test_models_of_an_untrusted_workspace_write_nothing(tiny_settings: dict[str, Any]) -> None:
    client, _ = await scored(tiny_settings)
    assert await client.leave() == 0
    client = await started(settings=tiny_settings, options={"trusted": False})
    uri = client.open(TALK)
    await client.until_state(uri, "ready")
    for method, more in (("shiftlens/continue", {}), ("shiftlens/rank", {"text": "x"})):
        with pytest.raises(JsonRpcException, match="not trusted"):
            await client.ask(method, {"uri": uri, "position": PLACE, **more})
    assert (await client.command("shiftlens.debugInformation"))["enginePid"] is None
    assert await client.leave() == 0

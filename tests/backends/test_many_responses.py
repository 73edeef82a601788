"""Servers are kept busy by many responses."""

from __future__ import annotations

import asyncio
import threading

import pytest

from backends.model_server import ModelServer, ends_with, serving
from backends.test_servers import FOLDERS, scored, session
from shiftlens.backends.exchange import Exchange, Patience
from shiftlens.options.pair import PairSpec

pytestmark = pytest.mark.slow

LAST = "The sky is blue."
TEXTS = (*(f"It is number {number}." for number in range(9)), LAST)
"""More than are prepared before the first of them is asked for."""


def test_more_responses_are_prepared_while_servers_are_at_work_on_the_first_and_none_is_probed_for_that() -> None:
    with serving(ModelServer("vllm", FOLDERS)) as server:
        ours = session()
        spec = PairSpec(base=server.name("base"), aligned=server.name("aligned"))
        scored(ours, spec, TEXTS[0])
        is_last = ends_with(FOLDERS["aligned"], LAST)
        last_is_asked = threading.Event()
        saw: list[bool] = []

        def answer_none_before_the_last_is_asked() -> None:
            if any(is_last(body["prompt"]) for body in server.asked):
                last_is_asked.set()
            saw.append(last_is_asked.wait(60))

        server.asked.clear()
        server.on_score = answer_none_before_the_last_is_asked
        found = scored(ours, spec, *TEXTS)
        assert saw == [True] * 2 * len(TEXTS)
        assert found == scored(ours, spec, *TEXTS)


@pytest.mark.parametrize(("idle", "opened"), [(60.0, 1), (-1.0, 2)])
def test_no_text_is_sent_over_a_connection_that_a_server_may_be_about_to_close(idle: float, opened: int) -> None:
    with serving(ModelServer("vllm", FOLDERS)) as server:
        exchange = Exchange(server.url, None, Patience(idle=idle))

        async def asked_twice() -> None:
            await exchange.get("/v1/models")
            # What the model is can be asked again, where it gets lost.
            await exchange.get("/version")
            body = {"model": "aligned", "prompt": [5, 6], "prompt_logprobs": 1}
            await exchange.ask("POST", "/v1/completions", body)
            await exchange.close()

        asyncio.run(asked_twice())
        assert exchange.opened == opened
        assert exchange.lost == 0

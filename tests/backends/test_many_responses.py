"""Servers are kept busy by many responses."""

from __future__ import annotations

import threading

import pytest

from backends.model_server import ModelServer, ends_with, serving
from backends.test_servers import FOLDERS, scored, session
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

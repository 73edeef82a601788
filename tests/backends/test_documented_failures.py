"""What each kind of server is documented or reported to get wrong, under each kind: refused, with the reason."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from backends.model_server import ModelServer, Rows, empty, serving
from backends.test_servers import (
    FOLDERS,
    LOCAL,
    TEXTS,
    aligned_at,
    assert_same,
    each_row,
    logits,
    no_own,
    response,
    scored,
    session,
)
from shiftlens.backends.positions import BadAnswer
from shiftlens.backends.sglang import SGLang
from shiftlens.errors import ModelError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.columns import float32_column, int32_column
from shiftlens.scores.records import ScoredResponse
from shiftlens.scoring.events import Refused, Scored
from shiftlens.scoring.session import Session

pytestmark = pytest.mark.slow

KINDS = ("vllm", "sglang", "openai")


@pytest.fixture(scope="module")
def local() -> list[ScoredResponse]:
    return scored(Session(), LOCAL)


def null_rows(rows: Rows) -> Rows:
    return [*rows[:2], *(row and dataclasses.replace(row, logprob=None, top=None) for row in rows[2:])]


WRONG = {
    "null rows": (null_rows, dict.fromkeys(KINDS, "gives no logprobs at position")),
    "own id missing": (
        each_row(no_own),
        {"vllm": "leaves out the token", **dict.fromkeys(("sglang", "openai"), "gives no logprobs at position")},
    ),
    "other ids": (
        each_row(lambda row: dataclasses.replace(row, own=row.own + 1)),
        dict.fromkeys(KINDS, "scored other tokens"),
    ),
    "logits": (each_row(logits), dict.fromkeys(KINDS, "as logits are")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", WRONG)
def test_numbers_that_are_not_those_asked_for_are_refused(wrong: str, kind: str) -> None:
    twist, said = WRONG[wrong]
    with (
        serving(ModelServer(kind, {"aligned": FOLDERS["aligned"]}, twist=twist)) as server,
        pytest.raises(ModelError) as refused,
    ):
        scored(session(), aligned_at(server))
    assert f"{server.name('aligned')} is not used: the server" in str(refused.value)
    assert said[kind] in str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("off_by", [1, -1])
def test_numbers_of_the_position_beside_are_refused(off_by: int, kind: str) -> None:
    server = ModelServer(kind, {"aligned": FOLDERS["aligned"]}, off_by=off_by)
    with serving(server), pytest.raises(ModelError, match="it is off by one position"):
        scored(session(), aligned_at(server))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_one_response_that_are_not_those_asked_for_refuse_that_response_alone(
    kind: str, local: list[ScoredResponse]
) -> None:
    server = ModelServer(kind, {"aligned": FOLDERS["aligned"]})
    with serving(server):
        # The probe asks for texts of other lengths than the shortest response's.
        shortest = min(len(side.aligned.prefix_ids) + len(side.aligned.ids) // 4 for side in local)
        server.twist = lambda rows: null_rows(rows) if len(rows) == shortest else rows
        found = list(session().score(aligned_at(server), ScoreOptions(), [response(text) for text in TEXTS]))
    (refused,) = [event for event in found if isinstance(event, Refused)]
    assert refused.index == 1
    assert "gives no logprobs at position" in refused.problem
    assert {event.index for event in found if isinstance(event, Scored)} == {0, 2}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "answers without the logprobs of the prompt"),
        ({"choices": [], "meta_info": None}, "answers without the logprobs of the prompt"),
        ({"choices": [{"text": "Sure!"}], "meta_info": {}}, "answers without the logprobs of the prompt"),
        ({"choices": "Sure!", "meta_info": "Sure!"}, "answers in another shape than documented"),
        (None, "answers in"),
    ],
    ids=["an object", "no choices", "a text", "other types", "null"],
)
def test_200_with_no_numbers_is_refused(body: Any, said: str, kind: str) -> None:
    with serving(ModelServer(kind, {"aligned": FOLDERS["aligned"]})) as server:
        server.failures = [lambda handler: handler.answer(body)] * 50
        with pytest.raises(ModelError, match=said):
            scored(session(), aligned_at(server))


@pytest.mark.parametrize("kind", KINDS)
def test_200_with_no_body_is_refused(kind: str) -> None:
    with serving(ModelServer(kind, {"aligned": FOLDERS["aligned"]})) as server:
        server.failures = [empty] * 50
        with pytest.raises(ModelError, match="not JSON"):
            scored(session(), aligned_at(server))


@pytest.mark.parametrize("kind", ["vllm", "openai"])
def test_where_more_candidates_are_wanted_than_a_server_allows_those_that_it_allows_are_taken_and_that_is_told(
    kind: str, local: list[ScoredResponse]
) -> None:
    with serving(ModelServer(kind, {"aligned": FOLDERS["aligned"]}, max_logprobs=5)) as server:
        (found,) = scored(session(), aligned_at(server), TEXTS[0])
    assert_same(found.aligned, local[0].aligned, k=5)
    named = server.name("aligned")
    assert f"{named} gives ranks only of tokens among its candidates (5 at the most)." in found.notes


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_that_a_server_writes_and_the_order_of_its_candidates_change_nothing(
    kind: str, local: list[ScoredResponse]
) -> None:
    def reordered(rows: Rows) -> Rows:
        # As vLLM, which writes 11 for a token beside its 10 candidates where it ties with others.
        tops = each_row(lambda row: dataclasses.replace(row, rank=11, top=dict(reversed((row.top or {}).items()))))
        return tops(rows)

    with serving(ModelServer(kind, {"aligned": FOLDERS["aligned"]}, twist=reordered)) as server:
        for found, pair in zip(scored(session(), aligned_at(server)), local, strict=True):
            assert_same(found.aligned, pair.aligned)
            assert found.aligned.top_ids == pair.aligned.top_ids


def test_an_sglang_that_knows_no_compact_answers_gives_the_same_numbers(local: list[ScoredResponse]) -> None:
    with serving(ModelServer("sglang", {"aligned": FOLDERS["aligned"]}, compact=False)) as server:
        for found, pair in zip(scored(session(), aligned_at(server)), local, strict=True):
            assert_same(found.aligned, pair.aligned)
        assert all(body["return_flat_raw_top_logprobs_b64"] for body in server.asked)


# The compact answers of SGLang: the ids 5, 6, 7 were sent, and the last two scored with two candidates each.


def compact(**changes: Any) -> bytes:
    meta = {
        "prompt_tokens": 3,
        "input_token_logprobs": [[None, 5, None], [-0.5, 6, None], [-3.0, 7, None]],
        "input_top_logprobs_val_flat_b64": base64.b64encode(float32_column([-0.5, -1.0, -0.25, -2.0])).decode(),
        "input_top_logprobs_idx_flat_b64": base64.b64encode(int32_column([6, 9, 8, 9])).decode(),
        "input_top_logprobs_val_flat_b64_dtype": "float32",
        "input_top_logprobs_idx_flat_b64_dtype": "int32",
        "input_top_logprobs_shape": [2, 2],
        "input_top_logprobs_null_prefix": 1,
    }
    return json.dumps({"text": "", "meta_info": {**meta, **changes}}).encode()


def test_a_compact_answer_is_read() -> None:
    found = SGLang().read(compact(), (5, 6, 7), 1, 2)
    assert (found.logprob.tolist(), found.rank.tolist()) == ([-0.5, -3.0], [1, -2])
    assert found.top_ids.tolist() == [[6, 9], [8, 9]]
    assert found.top_logprobs.tolist() == [[-0.5, -1.0], [-0.25, -2.0]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_top_logprobs_shape": [2, 1]}, "another number of positions"),
        ({"input_top_logprobs_shape": [2]}, "another shape than documented"),
        ({"input_top_logprobs_shape": [-2, -2]}, "another shape than documented"),
        ({"input_top_logprobs_shape": [1, 4]}, "another number of positions"),
        ({"input_top_logprobs_null_prefix": 0}, "another number of positions"),
        ({"input_top_logprobs_val_flat_b64_dtype": "float16"}, "another shape than documented"),
        ({"input_top_logprobs_val_flat_b64": "###"}, "not base64"),
        ({"input_top_logprobs_idx_flat_b64": None}, "without the logprobs of the prompt"),
    ],
)
def test_a_compact_answer_of_another_shape_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        SGLang().read(compact(**changes), (5, 6, 7), 1, 2)

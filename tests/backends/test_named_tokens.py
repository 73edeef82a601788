"""What each model gives the other one's candidates, where a server tells that of any token: exact, or not used."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.model_server import ModelServer, cut, hang, npy, serving, status
from backends.test_servers import FOLDERS, LOCAL, QUICK, TEXTS, aligned_at, assert_same, scored, session
from shiftlens.backends.dialect import Told
from shiftlens.backends.positions import BadAnswer
from shiftlens.backends.vllm_tokens import VllmTokens
from shiftlens.options.pair import PairSpec
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.records import ScoredResponse
from shiftlens.scoring.session import Session
from tiny_models import byte_level_tokenizer, save_model

pytestmark = pytest.mark.slow

NATS = 1e-3
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def every() -> list[ScoredResponse]:
    """What the pair gives here, with a hundred candidates."""
    return scored(Session(), LOCAL, k=100)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    folders = {"aligned": FOLDERS["aligned"], "base": FOLDERS["base"]}
    with serving(ModelServer("vllm", folders, named_tokens="on")) as server:
        yield server


def both_at(server: ModelServer) -> PairSpec:
    return PairSpec(base=server.name("base"), aligned=server.name("aligned"))


def named(body: dict[str, Any]) -> bool:
    return "sampling_params" in body


def assert_given(column: bytes, top_ids: bytes, model: str, found: ScoredResponse, server: ModelServer) -> None:
    """A column has what the model gives these candidates, by a pass of its own over the same ids."""
    side = found.base if model == "base" else found.aligned
    text = (*side.prefix_ids, *int32(side.ids))
    exact = server.logprobs(model, text)[len(side.prefix_ids) - 1 :]
    k = len(int32(top_ids)) // side.rows
    for row in range(side.rows):
        ids = int32(top_ids)[row * k : (row + 1) * k]
        assert list(float32(column)[row * k : (row + 1) * k]) == pytest.approx(
            [float(exact[row][token]) for token in ids], abs=NATS
        )


def test_each_model_s_logprobs_of_the_other_s_candidates_are_those_of_the_model(
    server: ModelServer, every: list[ScoredResponse]
) -> None:
    found = scored(session(), both_at(server))
    for each, pair in zip(found, every, strict=True):
        assert_given(each.comparison.base_of_aligned_top, each.aligned.top_ids, "base", each, server)
        assert_given(each.comparison.aligned_of_base_top, each.base.top_ids, "aligned", each, server)
        # And those of the models here, as far as a hundred candidates reach.
        given = zip(int32(each.aligned.top_ids), float32(each.comparison.base_of_aligned_top), strict=True)
        for at, (token, logprob) in enumerate(given):
            span = slice(at // 10 * 100, at // 10 * 100 + 100)
            here = dict(zip(int32(pair.base.top_ids)[span], float32(pair.base.top_logprobs)[span], strict=True))
            assert logprob == pytest.approx(here.get(token, logprob), abs=NATS)


def test_a_model_here_beside_one_on_a_server_gives_no_more_than_its_own_candidates(server: ModelServer) -> None:
    for each in scored(session(), aligned_at(server)):
        assert_given(each.comparison.aligned_of_base_top, each.base.top_ids, "aligned", each, server)
        assert each.comparison.base_of_aligned_top == b""


@pytest.mark.parametrize("without", ["", "disabled", "v1"], ids=["404", "403", "400"])
def test_a_server_that_does_not_tell_is_as_good_as_ever(without: str, server: ModelServer) -> None:
    server.named_tokens = without
    for each in scored(session(), both_at(server)):
        assert (each.comparison.base_of_aligned_top, each.comparison.aligned_of_base_top) == (b"", b"")
        assert not any("candidates are not asked" in note for note in each.notes)


WRONG: dict[str, tuple[Callable[[Array], object], str]] = {
    "null": (lambda _: None, "without the logprobs of the tokens that it was asked for"),
    "fewer rows": (lambda values: values[:-1], "gives logprobs of 6 times 10 tokens for the 7 times 10"),
    "fewer tokens": (lambda values: values[:, :-1], "gives logprobs of 7 times 9 tokens for the 7 times 10"),
    "other rows": (lambda values: np.roll(values, 1, axis=0), "other logprobs than when they are candidates"),
    "other ids": (lambda values: np.roll(values, 1, axis=1), "other logprobs than when they are candidates"),
    "logits": (lambda values: values + np.float32(12), "as logits are"),
    "no numbers": (lambda values: values * np.float32(np.nan), "gives nan as a logprob"),
    "float64": (lambda values: values.astype(np.float64), "another shape than documented"),
    "no base64": (lambda _: "###", "not base64"),
    "no array": (lambda _: base64.b64encode(b"numbers").decode(), "another shape than documented"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_server_tells_wrongly_is_not_used_and_that_is_said(wrong: str, server: ModelServer) -> None:
    server.named_twist, said = WRONG[wrong]
    (each,) = scored(session(), both_at(server), TEXTS[0])
    assert (each.comparison.base_of_aligned_top, each.comparison.aligned_of_base_top) == (b"", b"")
    notes = [note for note in each.notes if "candidates are not asked of" in note]
    assert len(notes) == 2
    assert all(said in note for note in notes)


def test_other_ids_in_an_answer_are_not_used() -> None:
    other = [1, 2, 3]
    body = json.dumps({"prompt_token_id_logprobs": npy(np.zeros((2, 1), np.float32)), "prompt_token_ids": other})
    with pytest.raises(BadAnswer, match="scored other tokens than the 3 it was given"):
        VllmTokens().read(body.encode(), (4, 5, 6), 1, [[7], [8]])


def test_a_fault_of_the_server_at_these_requests_alone_is_said(server: ModelServer) -> None:
    server.named_fails_at = lambda _: lambda handler: handler.answer({"error": {"message": "42"}}, 500)
    (each,) = scored(session(), both_at(server), TEXTS[0])
    assert any("the server answers 500 (42)" in note for note in each.notes)


def test_a_server_that_hangs_at_these_requests_alone_is_not_waited_for(server: ModelServer) -> None:
    server.named_fails_at = lambda _: hang
    impatient = dataclasses.replace(QUICK, alive=1.0)
    (each,) = scored(session(impatient), aligned_at(server), TEXTS[0])
    assert any("did not answer within 1 seconds" in note for note in each.notes)


def test_a_refusal_of_one_response_leaves_the_others_what_they_have(server: ModelServer) -> None:
    first = scored(session(), both_at(server))
    of_base = [len(each.base.prefix_ids) + each.rows for each in first]
    server.named_fails_at = lambda body: (
        status(400) if body["model"] == "base" and len(body["token_ids"]) == of_base[1] else None
    )
    found = scored(session(), both_at(server))
    assert [bool(each.comparison.base_of_aligned_top) for each in found] == [True, False, True]
    assert all(each.comparison.aligned_of_base_top for each in found)
    assert any("refuses this response (status 400)" in note and "is not known" in note for note in found[1].notes)
    assert not any("is not known" in note for note in found[0].notes)


def test_a_server_that_is_lost_for_good_then_leaves_what_both_models_gave(
    server: ModelServer, every: list[ScoredResponse]
) -> None:
    def kill() -> None:
        last = server.asked[-1]
        if named(last) and len(last["token_ids"]) > 8:
            server.stop()

    server.on_score = kill
    impatient = dataclasses.replace(QUICK, again=0.3, alive=0.5)
    (each,) = scored(session(impatient), both_at(server), TEXTS[0])
    assert_same(each.aligned, every[0].aligned)
    assert each.comparison.base_of_aligned_top == b""
    assert any("What it gives the other model's candidates is not known." in note for note in each.notes)


@pytest.mark.parametrize("failure", [status(503), cut], ids=["503", "cut"])
def test_what_passes_is_asked_again(failure: Callable[[object], None], server: ModelServer) -> None:
    left = [failure, failure]

    def at(body: dict[str, Any]) -> Callable[[Any], None] | None:
        return left.pop() if left and named(body) else None

    server.named_fails_at = at
    (each,) = scored(session(), both_at(server), TEXTS[0])
    assert not left
    assert_given(each.comparison.base_of_aligned_top, each.aligned.top_ids, "base", each, server)


def test_no_more_tokens_are_asked_for_at_once_than_the_server_gives_candidates(server: ModelServer) -> None:
    server.max_logprobs = 5
    (each,) = scored(session(), dataclasses.replace(LOCAL, aligned=server.name("aligned")), TEXTS[0])
    assert_given(each.comparison.aligned_of_base_top, each.base.top_ids, "aligned", each, server)
    widths = {len(body["sampling_params"]["prompt_logprob_token_ids"][0]) for body in server.asked if named(body)}
    assert widths == {5}


def test_of_a_text_longer_than_the_model_each_window_is_asked_for_its_rows(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    folders = {
        name: save_model(tmp_path / name, tokenizer, seed=seed, max_position_embeddings=64)
        for seed, name in enumerate(("base", "aligned"))
    }
    local = PairSpec(base=str(folders["base"]), aligned=str(folders["aligned"]), device="cpu")
    (pair,) = scored(Session(), local, TEXTS[0] * 3, k=100)
    with serving(ModelServer("vllm", folders, max_model_len=66, named_tokens="on")) as server:
        (found,) = scored(session(), both_at(server), TEXTS[0] * 3)
        assert sum(len(body["token_ids"]) > 8 for body in server.asked if named(body)) > 2
    compared = 0
    for at, logprob in enumerate(float32(found.comparison.base_of_aligned_top)):
        span = slice(at // 10 * 100, at // 10 * 100 + 100)
        here = dict(zip(int32(pair.base.top_ids)[span], float32(pair.base.top_logprobs)[span], strict=True))
        token = int32(found.aligned.top_ids)[at]
        if token in here:
            compared += 1
            assert logprob == pytest.approx(here[token], abs=NATS)
    assert compared > found.rows


@pytest.mark.parametrize(("named_tokens", "is_told"), [("on", True), ("v1", False)])
def test_doctor_is_told_whether_a_server_tells_this(named_tokens: str, is_told: bool, server: ModelServer) -> None:
    server.named_tokens = named_tokens

    found: list[bool] = []

    def try_out() -> Generator[None, None, None]:
        base, aligned = yield from session().trying_out(both_at(server))
        found.append(all("It tells what it gives the other model's candidates." in said for said in (base, aligned)))

    for _ in try_out():
        pass
    assert found == [is_told]


def test_only_ids_are_sent_and_rows_begin_at_the_response(server: ModelServer) -> None:
    scored(session(), both_at(server), TEXTS[0])
    for body in filter(named, server.asked):
        sampling = body["sampling_params"]
        assert (
            len(sampling["prompt_logprob_token_ids"]) == len(body["token_ids"]) - 1 - sampling["prompt_logprob_start"]
        )
        assert sampling["max_tokens"] == 1
    assert not any("sky" in str(body) for body in server.asked)


def test_a_token_that_is_never_chosen_has_minus_infinity() -> None:
    body = {"prompt_token_id_logprobs": npy(np.array([[-1.0, -np.inf, -np.inf]], np.float32))}
    ((one, never, none),) = VllmTokens().read(json.dumps(body).encode(), (4, 5), 1, [[7, 8, -1]])
    assert (one, never) == (-1.0, -math.inf)
    assert math.isnan(none)


def test_a_request_is_for_the_tokens_behind_its_first_row() -> None:
    question = VllmTokens().question(Told("m"), (4, 5, 6, 7), 2, [[1], [2]])
    assert question.path == "/inference/v1/generate"
    assert question.body["token_ids"] == [4, 5, 6, 7]
    assert question.body["sampling_params"]["prompt_logprob_start"] == 1
    assert question.body["sampling_params"]["prompt_logprob_token_ids"] == [[1], [2]]

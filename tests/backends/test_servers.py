"""Models on servers: the numbers are those of the model, and what is not right is refused in words."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends.model_server import ModelServer, Row, Rows, Twist, cut, hang, page, serving, status
from shiftlens.backends.connections import Patience
from shiftlens.backends.servers import Servers
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.errors import ModelError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.columns import Above, float32, int32, rank_of
from shiftlens.scores.records import ScoredResponse, SideScores
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.events import Refused, Scored
from shiftlens.scoring.session import Session
from tiny_models import byte_level_tokenizer, save_model

pytestmark = pytest.mark.slow

K = 10
NATS = 1e-3
LOCAL = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")
FOLDERS = {"base": Path(resolve_model_name(BUNDLED_BASE)), "aligned": Path(resolve_model_name(BUNDLED_ALIGNED))}
TEXTS = (
    "Great question! The sky is blue because air scatters blue light 🙂 more than red light.",
    "No.",
    "I'm glad you asked. There are several reasons, and the first of them is that water is heavy.",
)
QUICK = Patience(connect=2, answer=20, again=20, at_first=0.2, first_wait=0.02, longest_wait=0.2)


def response(text: str) -> ResponseToScore:
    return ResponseToScore(turns=(ContextTurn.of("user", "Why?"),), parts=one_text(text), source_format="labels")


def scored(
    session: Session, spec: PairSpec, *texts: str, k: int = K, check: Callable[[], None] = lambda: None
) -> list[ScoredResponse]:
    requests = [response(text) for text in texts or TEXTS]
    found = list(session.score(spec, ScoreOptions(top_k=k), requests, check=check))
    assert not [event for event in found if isinstance(event, Refused)]
    done = {event.index: event.scored for event in found if isinstance(event, Scored)}
    return [done[index] for index in sorted(done)]


def session(patience: Patience = QUICK, **environment: str) -> Session:
    return Session(kinds=[Servers(patience, environment)])


def aligned_at(server: ModelServer) -> PairSpec:
    return dataclasses.replace(LOCAL, aligned=server.name("aligned"))


@pytest.fixture(scope="module")
def local() -> list[ScoredResponse]:
    return scored(Session(), LOCAL, k=K)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(ModelServer("vllm", {"aligned": FOLDERS["aligned"], "base": FOLDERS["base"]})) as server:
        yield server


def assert_same(found: SideScores, local: SideScores, k: int = K) -> None:
    assert found.ids == local.ids
    assert list(float32(found.logprob)) == pytest.approx(list(float32(local.logprob)), abs=NATS)
    assert_ranks(found.rank, local.rank, k)
    assert found.entropy == b""


def assert_ranks(found: bytes, local: bytes, k: int) -> None:
    """Equal where k candidates decide the rank, and above k elsewhere."""
    for ours, theirs in zip(int32(found), int32(local), strict=True):
        rank = rank_of(ours)
        assert theirs == rank if isinstance(rank, int) else rank == Above(k) and theirs > k


@pytest.mark.parametrize("kind", ["vllm", "sglang", "openai"])
def test_a_model_on_a_server_has_the_ranks_and_logprobs_of_the_same_model_here(
    kind: str, local: list[ScoredResponse]
) -> None:
    with serving(ModelServer(kind, {"aligned": FOLDERS["aligned"]})) as server:
        for found, pair in zip(scored(session(), aligned_at(server)), local, strict=True):
            assert_same(found.aligned, pair.aligned)
            assert found.aligned.top_ids == pair.aligned.top_ids
            assert list(float32(found.aligned.top_logprobs)) == pytest.approx(
                list(float32(pair.aligned.top_logprobs)), abs=NATS
            )
            assert found.base.rank == pair.base.rank
            assert found.comparison.kl == b""
            assert_ranks(found.comparison.base_rank_of_aligned_top, pair.comparison.base_rank_of_aligned_top, K)
            assert found.aligned.model.fingerprint == ""


def test_both_models_may_be_on_one_server_and_none_is_loaded_here(
    server: ModelServer, local: list[ScoredResponse]
) -> None:
    ours = session()
    spec = PairSpec(base=server.name("base"), aligned=server.name("aligned"))
    for found, pair in zip(scored(ours, spec), local, strict=True):
        assert_same(found.base, pair.base)
        assert_same(found.aligned, pair.aligned)
    assert ours.loads == 0
    assert {body["model"] for body in server.asked} == {"base", "aligned"}


@pytest.mark.parametrize("kind", ["vllm", "sglang", "openai"])
def test_an_adapter_is_a_second_name_of_one_server_with_the_tokenizer_of_the_model_below(
    kind: str, local: list[ScoredResponse]
) -> None:
    server = ModelServer(kind, {"below": FOLDERS["aligned"], "tuned": FOLDERS["aligned"]})
    # Where the adapter lies is told, and not on this machine.
    server.places, server.parents = {"tuned": "/adapters/tuned"}, {"tuned": "below"}
    with serving(server):
        spec = dataclasses.replace(LOCAL, aligned=server.name("tuned"))
        (found,) = scored(session(), spec, TEXTS[0])
        assert session().describe(spec)[1].adapter_of == str(FOLDERS["aligned"])
    assert_same(found.aligned, local[0].aligned)
    assert {body.get("lora_path") or body.get("model") for body in server.asked} == {"tuned"}


def test_a_redirect_is_not_followed(server: ModelServer) -> None:
    with serving(ModelServer("vllm", {"aligned": FOLDERS["aligned"]})) as other:
        server.failures = [status(307, Location=f"{other.url}/v1/completions")]
        with pytest.raises(ModelError, match="status 307"):
            scored(session(), aligned_at(server))
        assert not other.asked


def test_ids_are_sent_and_no_text(server: ModelServer) -> None:
    scored(session(), aligned_at(server))
    assert all(isinstance(token, int) for body in server.asked for token in body["prompt"])
    assert not any("sky" in str(body) for body in server.asked)


def test_what_the_server_tells_is_the_model_s_description(server: ModelServer) -> None:
    _, aligned = session().describe(aligned_at(server))
    assert aligned.name == server.name("aligned")
    assert aligned.path == str(FOLDERS["aligned"])
    assert aligned.device == "vllm 1.2.3"
    assert aligned.fingerprint == ""
    assert aligned.max_positions == server.max_model_len - 2


def test_candidates_named_by_texts_give_ranks_and_no_candidates(local: list[ScoredResponse]) -> None:
    with serving(ModelServer("openai", {"aligned": FOLDERS["aligned"]}, token_ids=False)) as server:
        found, pair = scored(session(), aligned_at(server), TEXTS[0])[0].aligned, local[0].aligned
    assert list(float32(found.logprob)) == pytest.approx(list(float32(pair.logprob)), abs=NATS)
    known = 0
    for ours, theirs in zip(int32(found.rank), int32(pair.rank), strict=True):
        rank = rank_of(ours)
        known += isinstance(rank, int)
        assert rank is None or (theirs == rank if isinstance(rank, int) else theirs > rank.rank)
    assert known > 0
    assert set(int32(found.top_ids)) == {-1}


def test_a_server_that_allows_fewer_candidates_is_asked_for_those(local: list[ScoredResponse]) -> None:
    with serving(ModelServer("vllm", {"aligned": FOLDERS["aligned"]}, max_logprobs=5)) as server:
        found = scored(session(), aligned_at(server), TEXTS[0])[0]
        assert_same(found.aligned, local[0].aligned, k=5)
        ids = list(int32(found.aligned.top_ids))
        assert ids[:5] == list(int32(local[0].aligned.top_ids))[:5]
        assert set(ids[5:10]) == {-1}


def test_a_text_longer_than_the_served_model_is_scored_in_the_windows_of_one_here(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "short", byte_level_tokenizer(), seed=4, max_position_embeddings=64)
    spec = PairSpec(base=str(folder), aligned=str(folder), device="cpu")
    (pair,) = scored(Session(), spec, TEXTS[0] * 3)
    with serving(ModelServer("vllm", {"short": folder}, max_model_len=66)) as server:
        (found,) = scored(session(), dataclasses.replace(spec, aligned=server.name("short")), TEXTS[0] * 3)
        assert max(len(body["prompt"]) for body in server.asked) == 65
    assert_same(found.aligned, pair.aligned)
    assert found.aligned.full_context_rows == pair.aligned.full_context_rows is not None


# What servers get wrong.


def each_row(change: Callable[[Row], Row | None]) -> Twist:
    return lambda rows: [None if row is None else change(row) for row in rows]


def logits(row: Row) -> Row:
    assert row.logprob is not None
    assert row.top is not None
    return dataclasses.replace(
        row, logprob=row.logprob + 12, top={token: value + 12 for token, value in row.top.items()}
    )


def candidates_shifted(rows: Rows) -> Rows:
    tops = [row.top for row in rows if row is not None]
    tops = [tops[0], *tops[:-1]]
    return [
        None,
        *(dataclasses.replace(row, top=top) for row, top in zip(filter(None, rows), tops, strict=False)),
    ]


def unlikelier(row: Row) -> Row:
    assert row.logprob is not None
    assert row.top is not None
    return row if row.own in row.top else dataclasses.replace(row, logprob=row.logprob - 3)


def no_own(row: Row) -> Row:
    return dataclasses.replace(row, logprob=None, top={t: v for t, v in (row.top or {}).items() if t != row.own})


WRONG: dict[str, tuple[Twist, str]] = {
    "logits": (each_row(logits), "as logits are"),
    "null rows": (lambda rows: [*rows[:2], *(None for _ in rows[2:])], "gives no logprobs at position"),
    "own id missing": (each_row(no_own), "leaves out the token"),
    "other ids": (each_row(lambda row: dataclasses.replace(row, own=row.own + 1)), "scored other tokens"),
    "one more": (lambda rows: [None, rows[1], *rows[1:]], "scored other tokens"),
    "first not null": (lambda rows: [rows[1], *rows[1:]], "before which nothing stands"),
    "no numbers": (each_row(lambda row: dataclasses.replace(row, logprob=float("-1e400"))), "not JSON"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_numbers_that_are_not_those_asked_for_are_refused_with_the_reason(wrong: str, server: ModelServer) -> None:
    server.twist, said = WRONG[wrong]
    with pytest.raises(ModelError) as refused:
        scored(session(), aligned_at(server))
    assert said in str(refused.value)
    assert server.name("aligned") in str(refused.value)


@pytest.mark.parametrize("token_ids", [True, False], ids=["ids", "texts"])
@pytest.mark.parametrize("off_by", [1, -1])
def test_numbers_that_are_off_by_one_position_are_refused(off_by: int, token_ids: bool) -> None:
    server = ModelServer("openai", {"aligned": FOLDERS["aligned"]}, off_by=off_by, token_ids=token_ids)
    with serving(server), pytest.raises(ModelError, match="it is off by one position"):
        scored(session(), aligned_at(server))


def test_candidates_of_another_position_are_refused() -> None:
    server = ModelServer("sglang", {"aligned": FOLDERS["aligned"]}, twist=candidates_shifted)
    with serving(server), pytest.raises(ModelError, match="is not used: the server"):
        scored(session(), aligned_at(server))


def test_an_answer_without_logprobs_is_refused() -> None:
    with serving(ModelServer("openai", {"aligned": FOLDERS["aligned"]})) as server:
        server.failures = [lambda handler: handler.answer({"choices": [{"text": "Sure!", "logprobs": None}]})] * 50
        with pytest.raises(ModelError, match="answers without the logprobs of the prompt"):
            scored(session(), aligned_at(server))


def test_a_server_that_puts_a_token_before_the_text_is_refused() -> None:
    with serving(ModelServer("openai", {"aligned": FOLDERS["aligned"]})) as server:
        server.twist = lambda rows: [None, rows[1], *rows[1:]]
        with pytest.raises(ModelError, match="gives logprobs of 4 tokens for the 2 it was given"):
            scored(session(), aligned_at(server))


def test_a_server_whose_answers_differ_is_refused(server: ModelServer) -> None:
    long_ones = 0

    def sometimes(rows: Rows) -> Rows:
        """After the first, tokens of long texts that are not among the candidates are less likely by 3 nats."""
        nonlocal long_ones
        long_ones += len(rows) > 20
        return each_row(unlikelier)(rows) if long_ones > 1 and len(rows) > 20 else rows

    server.twist = sometimes
    with pytest.raises(ModelError, match="nats apart"):
        scored(session(), aligned_at(server))


def test_a_sign_in_page_is_refused(server: ModelServer) -> None:
    server.failures = [page]
    with pytest.raises(ModelError, match="not JSON"):
        scored(session(), aligned_at(server))


def test_a_model_that_is_not_served_is_told_with_those_that_are(server: ModelServer) -> None:
    with pytest.raises(ModelError, match=r"has no model other\. It serves: aligned, base\."):
        scored(session(), dataclasses.replace(LOCAL, aligned=server.name("other")))


def test_a_server_that_is_not_there_is_told_of() -> None:
    with pytest.raises(ModelError, match="can't be reached"):
        scored(session(), dataclasses.replace(LOCAL, aligned="vllm:http://127.0.0.1:9#x"))


# What passes.


@pytest.mark.parametrize(
    "failure", [status(429, **{"Retry-After": "0"}), status(500), status(503), cut], ids=["429", "500", "503", "cut"]
)
def test_a_failure_that_passes_is_tried_again(
    failure: Callable[[object], None], server: ModelServer, local: list[ScoredResponse]
) -> None:
    server.failures = [failure, failure]
    for found, pair in zip(scored(session(), aligned_at(server)), local, strict=True):
        assert_same(found.aligned, pair.aligned)


def test_a_server_that_hangs_is_told_of_and_asked_again(server: ModelServer, local: list[ScoredResponse]) -> None:
    impatient = dataclasses.replace(QUICK, answer=1.0)
    server.failures = [hang]
    assert_same(scored(session(impatient), aligned_at(server))[0].aligned, local[0].aligned)
    server.failures = [hang] * 50
    with pytest.raises(ModelError, match="has sent nothing for 1 seconds"):
        scored(session(dataclasses.replace(impatient, again=1.5)), aligned_at(server))


def test_a_stop_breaks_off_the_requests(server: ModelServer) -> None:
    class Stopped(Exception):
        pass

    def check() -> None:
        if server.hung.is_set():
            raise Stopped

    server.failures = [hang] * 50
    with pytest.raises(Stopped):
        scored(session(), aligned_at(server), check=check)
    assert server.left.wait(20)


def test_a_server_that_is_killed_and_comes_back_loses_nothing_and_is_probed_again(
    server: ModelServer, local: list[ScoredResponse]
) -> None:
    scored(session(), aligned_at(server))
    whole = len(server.asked)
    server.asked.clear()
    killed = threading.Event()

    def kill() -> None:
        if len(server.asked) == whole - 1 and not killed.is_set():
            killed.set()
            server.stop()
            threading.Timer(0.5, server.start).start()

    server.on_score = kill
    for found, pair in zip(scored(session(), aligned_at(server)), local, strict=True):
        assert_same(found.aligned, pair.aligned)
    assert killed.is_set()
    # The two answers that were lost, and another probe of seven requests.
    assert len(server.asked) > whole + 6


def test_a_server_that_comes_back_with_another_version_is_refused(server: ModelServer) -> None:
    def kill() -> None:
        if len(server.asked) == 9 and server.version == "1.2.3":
            server.version = "2"
            server.stop()
            threading.Timer(0.2, server.start).start()

    server.on_score = kill
    ours = session()
    with pytest.raises(ModelError, match="no longer the model that it was"):
        scored(ours, aligned_at(server))


def test_a_server_that_is_another_at_the_next_score_is_told_of_once(server: ModelServer) -> None:
    ours = session()
    scored(ours, aligned_at(server), "No.")
    server.version = "2"
    ours_again = dataclasses.replace(aligned_at(server))
    with pytest.raises(ModelError, match="no longer the model that it was"):
        scored(ours, ours_again, "No.")
    assert scored(ours, ours_again, "No.")


# Keys and places.


def test_a_key_is_sent_to_its_own_server_alone(server: ModelServer) -> None:
    server.key = "sk-1"
    ours = session(SHIFTLENS_API_KEYS=f"https://elsewhere.example=sk-2 {server.url}=sk-1")
    assert scored(ours, aligned_at(server))
    assert set(server.authorizations) == {"Bearer sk-1"}
    server.authorizations.clear()
    with pytest.raises(ModelError, match="refuses the key") as refused:
        scored(session(SHIFTLENS_API_KEYS="https://elsewhere.example=sk-2"), aligned_at(server))
    assert set(server.authorizations) == {None}
    assert "sk-" not in str(refused.value)


def test_a_tokenizer_that_is_not_here_is_asked_for_and_may_be_named(server: ModelServer) -> None:
    server.places = {"aligned": "/on/the/gpu/machine"}
    with pytest.raises(ModelError, match=r"not on this machine \(the server tells: /on/the/gpu/machine.*;tokenizer="):
        scored(session(), aligned_at(server))
    named = f"{server.name('aligned')};tokenizer={FOLDERS['aligned']}"
    assert scored(session(), dataclasses.replace(LOCAL, aligned=named))

"""A real vLLM beside the same model here: `make e2e-servers` installs it, and says so in SHIFTLENS_VLLM."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracles.real_vllm import MOST_SECONDS, RealVllm
from shiftlens.backends.connections import Patience
from shiftlens.backends.dialect import Told
from shiftlens.backends.servers import Servers
from shiftlens.backends.vllm_tokens import VllmTokens
from shiftlens.bundled.paths import transcripts
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.columns import Above, float32, int32, rank_of
from shiftlens.scores.records import ScoredResponse, SideScores
from shiftlens.scores.requests import ResponseToScore, to_score
from shiftlens.scoring.events import Event, Progress, Refused, Scored
from shiftlens.scoring.session import Session
from shiftlens.transcripts.read import read

NATS = 1e-3
LOCAL = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.environ.get("SHIFTLENS_VLLM"), reason="no vLLM is here: see `make e2e-servers`"),
]


@pytest.fixture(scope="module")
def vllm() -> Iterator[RealVllm]:
    server = RealVllm()
    server.start()
    try:
        server.ready()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def asked() -> list[ResponseToScore]:
    found = []
    for path in transcripts():
        transcript = read(path.read_text(encoding="utf-8"), filename=path.name)
        if transcript is not None:
            found += [to_score(response, transcript.format) for response in transcript.responses]
    return found


@pytest.fixture(scope="module")
def here(asked: list[ResponseToScore]) -> list[ScoredResponse]:
    return records(list(Session().score(LOCAL, ScoreOptions(), asked)))


def records(events: list[Event]) -> list[ScoredResponse]:
    assert not [event for event in events if isinstance(event, Refused)]
    done = {event.index: event.scored for event in events if isinstance(event, Scored) and not event.partial}
    return [done[index] for index in range(len(done))]


def served(vllm: RealVllm, kind: str = "vllm") -> PairSpec:
    return PairSpec(base=BUNDLED_BASE, aligned=vllm.name("aligned", kind), device="cpu")


def assert_same(found: SideScores, local: SideScores) -> tuple[int, float]:
    """The positions that were compared, and the worst difference of two logprobs, in nats."""
    assert found.ids == local.ids
    worst = max(abs(a - b) for a, b in zip(float32(found.logprob), float32(local.logprob), strict=True))
    assert worst < NATS
    for a, b in zip(int32(found.rank), int32(local.rank), strict=True):
        rank = rank_of(a)
        assert b == rank if isinstance(rank, int) else rank == Above(10) and b > 10
    return len(int32(found.rank)), worst


@pytest.mark.parametrize("kind", ["vllm", "openai"])
def test_every_position_of_the_bundled_transcripts_is_as_it_is_here(
    kind: str, vllm: RealVllm, asked: list[ResponseToScore], here: list[ScoredResponse]
) -> None:
    there = records(list(Session(kinds=[Servers()]).score(served(vllm, kind), ScoreOptions(), asked)))
    assert len(there) == len(here)
    compared = [assert_same(a.aligned, b.aligned) for a, b in zip(there, here, strict=True)]
    positions = sum(count for count, _ in compared)
    print(f"{kind}: {positions} positions of {len(asked)} responses, logprobs within {max(w for _, w in compared):.1e}")
    assert positions > 1000


def test_both_sides_may_be_names_of_one_server(
    vllm: RealVllm, asked: list[ResponseToScore], here: list[ScoredResponse]
) -> None:
    spec = PairSpec(base=vllm.name("also"), aligned=vllm.name("aligned"), device="cpu")
    ours = Session(kinds=[Servers()])
    for found, local in zip(records(list(ours.score(spec, ScoreOptions(), asked))), here, strict=True):
        assert_same(found.aligned, local.aligned)
    assert ours.loads == 0


def test_logprobs_of_named_tokens_which_this_build_refuses_are_not_missed(
    vllm: RealVllm, asked: list[ResponseToScore]
) -> None:
    question = VllmTokens().question(Told("aligned"), (5, 6, 7), 1, [[8], [9]])
    status, told = vllm.asked(question.path, question.body)
    assert status == 400
    assert "requires the V2 model runner" in told
    (found,) = records(list(Session(kinds=[Servers()]).score(served(vllm), ScoreOptions(), asked[:1])))
    assert found.comparison.aligned_of_base_top == b""
    assert not any("candidates are not asked" in note for note in found.notes)


def test_folders_are_told(vllm: RealVllm) -> None:
    _, aligned = Session(kinds=[Servers()]).describe(served(vllm))
    assert Path(aligned.path).is_dir()
    assert aligned.device.startswith("vllm 0.")


def test_a_stop_frees_the_server(vllm: RealVllm, asked: list[ResponseToScore]) -> None:
    many = asked * 8
    before = vllm.metric("vllm:request_success_total")
    steps = Session(kinds=[Servers()]).score(served(vllm), ScoreOptions(), many)
    for event in steps:
        if isinstance(event, Scored):
            break
    steps.close()  # type: ignore[attr-defined]
    end = time.monotonic() + 120
    while vllm.metric("vllm:num_requests_running") + vllm.metric("vllm:num_requests_waiting"):
        assert time.monotonic() < end, "the server goes on with what nobody waits for"
        time.sleep(0.1)
    answered = vllm.metric("vllm:request_success_total") - before
    print(f"stopped: the server had answered {answered:.0f} requests of {len(many)}")
    assert answered < len(many)


def test_a_server_that_is_killed_and_started_again_in_mid_run_loses_nothing(
    vllm: RealVllm, asked: list[ResponseToScore], here: list[ScoredResponse]
) -> None:
    many = asked * 4
    found: list[Event] = []
    killed_after = None
    # A machine with other work may take longer to start it than anybody would wait.
    patient = Session(kinds=[Servers(Patience(again=MOST_SECONDS))])
    for event in patient.score(served(vllm), ScoreOptions(), many):
        found.append(event)
        if isinstance(event, Scored) and killed_after is None:
            vllm.kill()
            vllm.start()
            killed_after = sum(isinstance(each, Scored) for each in found)
    assert killed_after == 1
    troubles = {each.said for each in found if isinstance(each, Progress) and each.said.endswith("asked again")}
    print(f"killed: {sorted(troubles)}")
    assert troubles
    again = records(found)
    assert len(again) == len(many)
    for ours, local in zip(again, here * 4, strict=True):
        assert_same(ours.aligned, local.aligned)

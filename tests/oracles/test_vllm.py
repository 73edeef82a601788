"""A real vLLM beside the same model here: `make e2e-servers` starts it, and names it in SHIFTLENS_VLLM."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shiftlens.backends.servers import Servers
from shiftlens.bundled.paths import transcripts
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.columns import Above, float32, int32, rank_of
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ResponseToScore, to_score
from shiftlens.scoring.events import Refused, Scored
from shiftlens.scoring.session import Session
from shiftlens.transcripts.read import read

URL = os.environ.get("SHIFTLENS_VLLM", "")
NATS = 1e-3

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not URL, reason="no vLLM runs: see `make e2e-servers`")]


def requests() -> list[ResponseToScore]:
    found = []
    for path in transcripts():
        transcript = read(path.read_text(encoding="utf-8"), filename=path.name)
        if transcript is not None:
            found += [to_score(response, transcript.format) for response in transcript.responses]
    return found


def scored(session: Session, spec: PairSpec, asked: list[ResponseToScore]) -> list[ScoredResponse]:
    found = list(session.score(spec, ScoreOptions(), asked))
    assert not [event for event in found if isinstance(event, Refused)]
    done = {event.index: event.scored for event in found if isinstance(event, Scored) and not event.partial}
    return [done[index] for index in range(len(asked))]


@pytest.mark.parametrize("kind", ["vllm", "openai"])
def test_every_position_of_the_bundled_transcripts_is_as_it_is_here(kind: str) -> None:
    asked = requests()
    here = scored(Session(), PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu"), asked)
    served = PairSpec(base=BUNDLED_BASE, aligned=f"{kind}:{URL}#aligned", device="cpu")
    there = scored(Session(kinds=[Servers()]), served, asked)
    positions, apart, worst = 0, 0, 0.0
    for ours, theirs in zip(there, here, strict=True):
        assert ours.aligned.ids == theirs.aligned.ids
        worst = max(
            worst,
            *(abs(a - b) for a, b in zip(float32(ours.aligned.logprob), float32(theirs.aligned.logprob), strict=True)),
        )
        for a, b in zip(int32(ours.aligned.rank), int32(theirs.aligned.rank), strict=True):
            rank = rank_of(a)
            positions += 1
            apart += not (b == rank if isinstance(rank, int) else rank == Above(10) and b > 10)
    print(f"{kind}: {positions} positions of {len(asked)} responses, {apart} ranks apart, logprobs within {worst:.1e}")
    assert positions > 100
    assert apart == 0
    assert worst < NATS


def test_folders_are_told() -> None:
    _, aligned = Session(kinds=[Servers()]).describe(
        PairSpec(base=BUNDLED_BASE, aligned=f"vllm:{URL}#aligned", device="cpu")
    )
    assert Path(aligned.path).is_dir()
    assert aligned.device.startswith("vllm 0.")

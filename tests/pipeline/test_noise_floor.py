"""The noise floor of real scores: of the bundled pair, of identical models, and of scores that a store holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pipeline.in_process import InProcess
from shiftlens.analysis.model import ShiftClass
from shiftlens.analysis.noise_floor import Moved
from shiftlens.engine.protocol import Score
from shiftlens.errors import ModelError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline.noise_floor import noise_floor
from shiftlens.scores.store import ResultStore
from shiftlens.scoring.session import Session
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"


@pytest.fixture(scope="module")
def engine() -> InProcess:
    return InProcess(Session())


def transcript() -> Transcript:
    found = read(TALK)
    assert found is not None
    return found


def choice(base: str, base_context: str = "aligntds") -> Choice:
    pair = PairSpec(base=base, aligned=BUNDLED_ALIGNED, device="cpu")
    return Choice(pair, ScoreOptions(base_context=base_context), ClassifyOptions(), ())


async def test_another_dtype_moves_the_aligned_model_by_less_than_alignment_moved_its_opener(engine: InProcess) -> None:
    real, found = await noise_floor(engine, transcript(), choice(BUNDLED_BASE))
    assert found.dtypes == ("float32", "bfloat16")
    assert 0 < found.floor.logprob < 1
    assert 0 < found.floor.kl < 0.1
    (response,) = found.responses
    assert len(response.positions) == real.analysis.responses[0].scored.rows
    opener = [each for each in response.positions if each.piece in (b"reat", b" question")]
    assert [each.within for each in opener] == [False, False]


async def test_identical_models_have_exactly_zero_shifted_beyond_the_floor(engine: InProcess) -> None:
    for against in ("", "float32"):
        real, found = await noise_floor(engine, transcript(), choice(BUNDLED_ALIGNED, "chat"), against)
        assert real.analysis.summary.shifted > 0
        for shift in ShiftClass:
            assert found.of_class(shift).beyond == found.of_class(shift).unknown == 0
        assert {each.real for each in found.responses[0].positions} == {Moved(0.0, 0.0)}
    assert found.floor == Moved(0.0, 0.0)


async def test_the_scores_of_each_dtype_are_stored_apart(engine: InProcess, tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "scores.sqlite3")
    before = len(engine.asked)
    _, first = await noise_floor(engine, transcript(), choice(BUNDLED_BASE), store=store)
    asked = [request for request in engine.asked[before:] if isinstance(request, Score)]
    assert [(request.pair.base_dtype, request.options.base_context) for request in asked] == [
        ("", "aligntds"),
        ("bfloat16", "chat"),
    ]
    _, again = await noise_floor(engine, transcript(), choice(BUNDLED_BASE), store=store)
    assert len(engine.asked) == before + 2, "all was recalled"
    assert again.floor == first.floor
    _, exact = await noise_floor(engine, transcript(), choice(BUNDLED_BASE), "float32", store=store)
    assert exact.floor == Moved(0.0, 0.0)


async def test_a_model_on_a_server_has_no_other_dtype(engine: InProcess) -> None:
    pair = PairSpec(base=BUNDLED_BASE, aligned="vllm:http://localhost:1#a", device="cpu")
    with pytest.raises(ModelError, match="one dtype"):
        await noise_floor(engine, transcript(), dataclasses.replace(choice(BUNDLED_BASE), pair=pair))

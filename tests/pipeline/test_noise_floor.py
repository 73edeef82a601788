"""The noise floor of real scores: of the bundled pair, of identical models, and of scores that a store holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from gguf_files import write_gguf
from pipeline.in_process import InProcess
from plain_scoring import kl, plain_rows
from shiftlens.analysis.model import ShiftClass
from shiftlens.analysis.noise_floor import Moved
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.engine.protocol import Score
from shiftlens.errors import ModelError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, INT8, ClassifyOptions, PairSpec, ScoreOptions
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


async def test_the_noise_of_rounded_weights_is_that_of_a_plain_loop_over_a_model_with_such_weights(
    engine: InProcess,
) -> None:
    real, found = await noise_floor(engine, transcript(), choice(BUNDLED_BASE), INT8)
    assert found.dtypes == ("float32", "int8")
    folder = resolve_model_name(BUNDLED_ALIGNED)
    exact, rounded = (AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for _ in range(2))
    with torch.no_grad():
        for name, module in rounded.named_modules():
            if isinstance(module, torch.nn.Linear) and name != "lm_head":
                scale = module.weight.abs().amax(dim=1, keepdim=True) / 127
                module.weight.copy_((module.weight / scale).round() * scale)
    side = real.analysis.responses[0].pair_scores.aligned
    ids = list(memoryview(side.ids).cast("i"))
    rows = [plain_rows(model, side.prefix_ids, ids, ids) for model in (exact, rounded)]
    (response,) = found.responses
    assert found.measured == len(response.positions) == len(ids)
    for position, ours, theirs in zip(response.positions, *rows, strict=True):
        assert position.noise.logprob == pytest.approx(abs(ours.logprob - theirs.logprob), abs=1e-4)
        assert position.noise.kl == pytest.approx(kl(ours, theirs), abs=1e-5)
    assert 0 < found.floor.logprob < 1
    opener = [each for each in response.positions if each.piece in (b"reat", b" question")]
    assert [each.within for each in opener] == [False, False]


async def test_rounded_weights_are_not_those_of_the_pair_and_their_scores_are_stored_apart(
    engine: InProcess, tmp_path: Path
) -> None:
    store = ResultStore(tmp_path / "scores.sqlite3")
    _, rounded = await noise_floor(engine, transcript(), choice(BUNDLED_ALIGNED, "chat"), INT8, store=store)
    assert rounded.floor.logprob > 0
    assert {each.real for each in rounded.responses[0].positions} == {Moved(0.0, 0.0)}
    _, exact = await noise_floor(engine, transcript(), choice(BUNDLED_ALIGNED, "chat"), "float32", store=store)
    assert exact.floor == Moved(0.0, 0.0)
    before = len(engine.asked)
    _, again = await noise_floor(engine, transcript(), choice(BUNDLED_ALIGNED, "chat"), INT8, store=store)
    assert (again.floor, len(engine.asked)) == (rounded.floor, before)


async def test_a_file_of_the_aligned_model_in_fewer_bits_has_a_floor_and_that_of_another_model_has_none(
    engine: InProcess, tmp_path: Path
) -> None:
    folder = Path(resolve_model_name(BUNDLED_ALIGNED))
    floors = []
    for quantised in ("", "Q8_0", "Q4_0"):
        file = write_gguf(folder, tmp_path / f"aligned{quantised}.gguf", *filter(None, [quantised]))
        _, found = await noise_floor(engine, transcript(), choice(BUNDLED_BASE), str(file))
        assert found.dtypes == ("float32", str(file))
        floors.append(found.floor)
    assert floors[0] == Moved(0.0, 0.0)
    assert 0 < floors[1].logprob < floors[2].logprob
    assert 0 < floors[1].kl < floors[2].kl


async def test_what_the_noise_can_not_be_measured_against_is_refused(engine: InProcess) -> None:
    for against in ("int3", "a/model", BUNDLED_BASE):
        with pytest.raises(ModelError, match="none of float32, bfloat16, float16, int8"):
            await noise_floor(engine, transcript(), choice(BUNDLED_BASE), against)


async def test_a_model_on_a_server_has_no_other_dtype(engine: InProcess) -> None:
    pair = PairSpec(base=BUNDLED_BASE, aligned="vllm:http://localhost:1#a", device="cpu")
    with pytest.raises(ModelError, match="one dtype and quantisation"):
        await noise_floor(engine, transcript(), dataclasses.replace(choice(BUNDLED_BASE), pair=pair))

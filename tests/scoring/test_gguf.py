"""A GGUF file is a model: its numbers are those of the model that it was made of, quantised or not."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gguf_files import write_gguf
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.chat_templates.files import template_files
from shiftlens.errors import ModelError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.events import Scored
from shiftlens.scoring.models.loading import load_model, load_tokenizer
from shiftlens.scoring.session import Session

TEXT = "Great question! Air scatters blue light more than red light.\n\nGrüße, 你好: it's 7 o'clock!\n"
RESPONSE = ResponseToScore(
    turns=(ContextTurn.of("user", "Why is the sky blue?"),), parts=one_text(TEXT), source_format="labels"
)
CHAT = ScoreOptions(base_context="chat")
ALONE = PairSpec(base="", aligned="", device="cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gguf")
    base, aligned = Path(resolve_model_name(BUNDLED_BASE)), Path(resolve_model_name(BUNDLED_ALIGNED))
    return {
        "base": write_gguf(base, folder / "base.gguf"),
        "aligned": write_gguf(aligned, folder / "aligned.gguf"),
        "q8": write_gguf(aligned, folder / "aligned-q8.gguf", "Q8_0"),
        "q4": write_gguf(aligned, folder / "aligned-q4.gguf", "Q4_0"),
    }


def scored(base: str | Path, aligned: str | Path) -> ScoredResponse:
    pair = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    events = Session().score(pair, CHAT, [RESPONSE])
    return next(event.scored for event in events if isinstance(event, Scored) and not event.partial)


def test_a_pair_of_files_has_the_numbers_of_the_folders_they_were_made_of(files: dict[str, Path]) -> None:
    ours, theirs = scored(files["base"], files["aligned"]), scored(BUNDLED_BASE, BUNDLED_ALIGNED)
    assert replace(ours.base, model=theirs.base.model) == theirs.base
    assert replace(ours.aligned, model=theirs.aligned.model) == theirs.aligned
    assert ours.comparison == theirs.comparison


def test_a_model_against_itself_in_fewer_bits_differs_by_what_the_bits_take(files: dict[str, Path]) -> None:
    def distance(other: str) -> float:
        kl = scored(files["aligned"], files[other]).comparison.kl
        return sum(memoryview(kl).cast("f"))

    same, finer, coarser = map(distance, ("aligned", "q8", "q4"))
    assert same == 0
    assert 0 < finer < coarser


def test_the_tokenizer_and_the_template_are_those_of_the_file(files: dict[str, Path]) -> None:
    ours, theirs = load_tokenizer(str(files["aligned"]), ALONE), load_tokenizer(BUNDLED_ALIGNED, ALONE)
    assert ours(TEXT).input_ids == theirs(TEXT).input_ids
    assert ours.eos_token == theirs.eos_token
    template = template_files(str(files["aligned"]))
    known = template_files(BUNDLED_ALIGNED)
    assert template is not None
    assert known is not None
    assert template.text == known.text


def test_what_lies_beside_a_file_is_not_read(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model.gguf").symlink_to(files["aligned"])
    for name in ("config.json", "adapter_config.json", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).write_text("not for this model")
    assert load_model(str(tmp_path / "model.gguf"), ALONE).vocabulary == load_model(BUNDLED_ALIGNED, ALONE).vocabulary


def test_a_way_of_splitting_text_that_transformers_does_not_know_is_said(tmp_path: Path) -> None:
    file = write_gguf(Path(resolve_model_name(BUNDLED_BASE)), tmp_path / "odd.gguf", pre_tokenizer="never-heard-of")
    [note] = load_model(str(file), ALONE).notes
    assert "never-heard-of" in note
    assert "GPT-2" in note


def test_a_file_that_is_not_there_or_not_whole_is_refused_by_name(files: dict[str, Path], tmp_path: Path) -> None:
    missing, half = tmp_path / "missing.gguf", tmp_path / "half.gguf"
    with pytest.raises(ModelError, match=r"There is no file .*missing\.gguf"):
        load_model(str(missing), ALONE)
    half.write_bytes(files["aligned"].read_bytes()[:200_000])
    with pytest.raises(ModelError, match=r"half\.gguf can't be read as a GGUF file"):
        load_model(str(half), ALONE)


def test_a_kind_of_model_that_transformers_does_not_read_is_refused_by_name(
    files: dict[str, Path], tmp_path: Path
) -> None:
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(
        files["base"].read_bytes().replace(b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05" + bytes(7) + b"lxxxa")
    )
    with pytest.raises(ModelError, match=r"odd\.gguf"):
        load_model(str(odd), ALONE)


def test_without_the_package_it_is_said_what_to_install(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModelError) as refused:
        load_model(str(files["base"]), ALONE)
    assert "pip install gguf" in refused.value.remedy

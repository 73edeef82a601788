"""The library that takes the matrix products is chosen by the user, named, and never mixed with another in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.doing import do
from shiftlens.cli.main import main
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.protocol import Describe, Described, Failed, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.location import CACHE_DIR_VARIABLE, user_store
from shiftlens.scores.matrix_library import expected_library, remember, remembered
from shiftlens.scores.pair_results import PairResults, open_pair_results
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.numbers import products

pytestmark = pytest.mark.skipif(not products.has_onednn(), reason="this torch has one library only")

RESPONSE = ResponseToScore(
    turns=(ContextTurn.of("user", "Why?"),), parts=one_text("Great question!"), source_format="labels"
)


@pytest.fixture(autouse=True)
def _nothing_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(products, "_chosen", None)


def scored_by(pair: PairSpec) -> tuple[str, str]:
    """What an engine says took the products: of the scores, and of the base model."""
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _: False)
    do(worker, Score(job=1, pair=pair, options=ScoreOptions(), responses=(RESPONSE,)))
    do(worker, Describe(job=2, pair=pair))
    (described,) = [reply for reply in replies if isinstance(reply, Described)]
    return [reply for reply in replies if isinstance(reply, Scored)][-1].matrix_library, described.base.matrix_library


@pytest.mark.parametrize("library", ["torch", "onednn"])
def test_the_library_that_is_named_is_used(tiny_pair: PairSpec, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    by_onednn = products._by_onednn

    def noted(*arguments: object) -> object:
        used.append("onednn")
        return by_onednn(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(products, "_by_onednn", noted)
    assert scored_by(replace(tiny_pair, matrix_library=library)) == (library, library)
    assert bool(used) == (library == "onednn")
    assert remembered() == ""


def test_a_model_of_another_dtype_has_torchs_own(tiny_pair: PairSpec) -> None:
    pair = replace(tiny_pair, matrix_library="onednn", dtype="bfloat16")
    assert scored_by(pair)[1] == "torch"


def test_a_library_that_is_not_there_is_an_error_that_names_the_setting(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "has_onednn", lambda: False)
    replies: list[Reply] = []
    do(Worker(replies.append, lambda _: False), Describe(job=1, pair=replace(tiny_pair, matrix_library="onednn")))
    assert isinstance(replies[-1], Failed)
    assert "shiftlens.matrixLibrary" in replies[-1].remedy


def test_what_was_quicker_once_stays_so(tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "onednn_is_quicker", lambda: True)
    assert scored_by(tiny_pair) == ("onednn", "onednn")
    # Another engine would find otherwise, were it to measure.
    monkeypatch.setattr(products, "_chosen", None)
    monkeypatch.setattr(products, "onednn_is_quicker", lambda: False)
    assert scored_by(tiny_pair) == ("onednn", "onednn")
    assert expected_library("auto") == "onednn"
    assert expected_library("torch") == "torch"


def test_of_two_that_measure_at_once_the_first_counts() -> None:
    assert remember("torch") == "torch"
    assert remember("onednn") == "torch"
    assert remembered() == "torch"


def test_where_nothing_can_be_written_down_each_engine_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "file" / "cache"))
    assert remember("onednn") == "onednn"
    assert remembered() == ""


def test_results_of_two_libraries_have_two_keys(tiny_pair: PairSpec) -> None:
    def opened(library: str) -> PairResults:
        results = open_pair_results(user_store(), replace(tiny_pair, matrix_library=library))
        assert results is not None
        return results

    options = ScoreOptions()
    undecided = opened("auto")
    by_torch, by_onednn = (opened(library).key(options, RESPONSE) for library in ("torch", "onednn"))
    assert len({undecided.key(options, RESPONSE), by_torch, by_onednn}) == 3
    assert undecided.key(options, RESPONSE, "onednn") == by_onednn
    remember("onednn")
    assert opened("auto").key(options, RESPONSE) == by_onednn


def test_the_json_names_it_and_no_scores_of_another_are_recalled(
    tiny_pair: PairSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text("User: Why?\nAssistant: Great question!\n")
    pair = ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]

    def analysed(*options: str) -> dict[str, object]:
        assert main(["analyze", str(talk), *pair, "--format", "json", "--private-engine", *options]) == 0
        found = json.loads(capsys.readouterr().out)
        return {"asked": found["settings"]["matrix_library"], "used": found["models"]["base"]["matrix_library"]}

    for library in ("torch", "onednn", "torch"):
        assert analysed("--matrix-library", library) == {"asked": library, "used": library}
    assert user_store().stats().entries == 2
    first = analysed()
    assert first["asked"] == "auto"
    assert first["used"] == remembered()
    assert user_store().stats().entries == 2
    assert analysed() == first


async def test_a_client_can_change_it(tiny_pair: PairSpec) -> None:
    client = EngineClient(sharing=Sharing.OWN)
    try:
        for library in ("onednn", "torch"):
            described = await client.describe(replace(tiny_pair, matrix_library=library))
            assert described.aligned.matrix_library == library
    finally:
        await client.close()

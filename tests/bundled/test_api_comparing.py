"""`shiftlens.noise_floor` and `shiftlens.contexts`: the numbers of the commands, as Python has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import shiftlens
from cli.test_analyze import shiftlens as run
from report.page_reader import PageReader
from shiftlens.analysis.comparison_tables import CONTEXTS_COLUMNS, NOISE_COLUMNS

PAIR: dict[str, Any] = {"base": "bundled:base", "aligned": "bundled:aligned", "device": "cpu"}
TALK = "User: Why is the sky blue?\n\nAssistant: Great question! <b>Air</b> scatters blue light.\n"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def json_of(*arguments: str | Path) -> dict[str, Any]:
    ran = run(*arguments, "--bundled", "--device", "cpu", "--format", "json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_the_noise_floor_has_the_numbers_of_the_command(talk: Path) -> None:
    found = shiftlens.noise_floor(talk, against="bfloat16", **PAIR)
    told = json_of("noise-floor", talk, "--against", "bfloat16")
    assert found.to_json() == told
    frame, table = found.to_pandas(), found.to_arrow()
    assert list(frame.columns) == table.column_names == [column.name for column in NOISE_COLUMNS]
    tokens = told["responses"][0]["tokens"]
    assert list(frame["position"]) == [token["index"] for token in tokens]
    assert list(frame["within_floor"]) == [token["withinFloor"] for token in tokens]
    assert list(frame["real_kl"]) == [token["real"]["kl"] for token in tokens]
    assert list(frame["noise_logprob"]) == [token["noise"]["logprob"] for token in tokens]
    assert set(frame["against"]) == {"bfloat16"}
    html = found._repr_html_()
    assert "Noise floor over" in html
    assert not PageReader(html).all("script")
    assert [found.text for found in PageReader(html).all("b")] == ["Response 1"]


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
def test_contexts_have_the_numbers_of_the_command(talk: Path) -> None:
    found = shiftlens.contexts(talk, contexts={"paper": "aligntds", "raw": "raw"}, **PAIR)
    told = json_of("contexts", talk, "--context", "paper=aligntds", "--context", "raw")
    assert found.to_json() == told
    frame, table = found.to_pandas(), found.to_arrow()
    assert list(frame.columns) == table.column_names == [column.name for column in CONTEXTS_COLUMNS]
    tokens = told["responses"][0]["tokens"]
    assert list(frame["context"]) == ["paper", "raw"] * len(tokens)
    assert list(frame["class"]) == [each["class"] for token in tokens for each in token["contexts"]]
    assert list(frame["base_rank"]) == [each["rank"] for token in tokens for each in token["contexts"]]
    html = found._repr_html_()
    assert {element.tag for element in PageReader(html).elements} == {"pre"}
    assert "positions have another class" in html


def test_what_can_not_be_compared_is_wrong_usage_before_anything_is_scored() -> None:
    with pytest.raises(ValueError, match="int4"):
        shiftlens.noise_floor(TALK, against="int4", **PAIR)
    for contexts, words in ((["raw"], "two"), (["raw", "raw"], "each once"), (["raw", "never"], "'never' is none of")):
        with pytest.raises(ValueError, match=words):
            shiftlens.contexts(TALK, contexts=contexts, **PAIR)
    with pytest.raises(TypeError, match="takes no 'base_context'"):
        shiftlens.contexts(TALK, base_context="raw", **PAIR)
    with pytest.raises(TypeError, match="unexpected keyword argument 'againts'"):
        shiftlens.noise_floor(TALK, againts="int8", **PAIR)  # type: ignore[call-arg]

"""The server of llama-cpp-python: `make oracle-llama-cpp` installs it, and says so in SHIFTLENS_LLAMA_CPP.

It takes no ids, and gives numbers of the position behind where a text begins without BOS. Both are told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gguf_files import write_gguf
from oracles.real_llama_cpp import NAME, echoed, gateway, llama_cpp
from shiftlens.backends.servers import Servers
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.errors import ModelError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.session import Session

FOLDER = Path(resolve_model_name(BUNDLED_ALIGNED))
TEXT = "Great question! The sky is blue because air scatters blue light more than red light."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not os.environ.get("SHIFTLENS_LLAMA_CPP"), reason="no llama-cpp-python is here: see `make oracle-llama-cpp`"
    ),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = write_gguf(FOLDER, tmp_path_factory.mktemp("gguf") / "aligned.gguf")
    with llama_cpp(file) as found:
        yield found


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(FOLDER)


def why_refused(url: str) -> str:
    spec = PairSpec(base=BUNDLED_BASE, aligned=f"openai:{url}#{NAME};tokenizer={FOLDER}", device="cpu")
    turns = (ContextTurn.of("user", "Why is the sky blue?"),)
    asked = ResponseToScore(turns=turns, parts=one_text(TEXT), source_format="labels")
    with pytest.raises(ModelError) as refused:
        list(Session(kinds=[Servers()]).score(spec, ScoreOptions(), [asked]))
    print(refused.value)
    return str(refused.value)


def test_it_takes_no_ids_and_that_is_what_is_said(url: str) -> None:
    assert f"The server {url} takes texts alone" in why_refused(url)


def test_its_numbers_of_a_text_without_bos_are_of_the_position_behind(url: str, tokenizer: Any) -> None:
    tokens, tops = echoed(url, TEXT, 5)
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode([each]) for each in ids] == tokens[: len(ids)]
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    with torch.inference_mode():
        ours = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    # Row i of the logits is of what comes behind token i, and the server has it in the place of token i.
    for at in range(1, len(ids)):
        told = tops[at]
        assert told is not None
        best = ours[at].topk(5).values.tolist()
        assert sorted(told.values(), reverse=True)[:5] == pytest.approx(best, abs=0.05)


def test_behind_a_gateway_that_makes_texts_of_ids_it_is_refused_as_off_by_one(url: str, tokenizer: Any) -> None:
    with gateway(url, tokenizer) as before:
        assert "it is off by one position" in why_refused(before)

"""Where the prompt ends and the response begins, as tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from passes import opened_pair
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.contexts import aligntds_query
from shiftlens.scoring.inputs.prepare import Prepared, prepare
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.opening.pair import OpenedPair
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

QUESTION = ContextTurn.of("user", "Why is the sky blue?")


@pytest.fixture(scope="module")
def llama2_like(tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    folder: Path = tmp_path_factory.mktemp("llama2")
    tokenizer = sentence_piece_tokenizer()
    base = save_model(folder / "base", tokenizer, seed=0)
    aligned = save_model(folder / "aligned", tokenizer, seed=1)
    return opened_pair(PairSpec(base=str(base), aligned=str(aligned), device="cpu"))


@pytest.fixture(scope="module")
def chatml_like(tiny_pair: PairSpec) -> OpenedPair:
    return opened_pair(tiny_pair)


def prepared(pair: OpenedPair, response: ResponseToScore, **options: Any) -> Prepared:
    return prepare(pair.base.loaded, pair.aligned.loaded, response, ScoreOptions(**options))


def of(text: str, *, turns: tuple[ContextTurn, ...] = (QUESTION,), **extra: str) -> ResponseToScore:
    return ResponseToScore(turns=turns, parts=one_text(text), source_format="labels", **extra)


def test_a_clean_boundary_keeps_the_tokens_of_the_prefix() -> None:
    encoder = TextEncoder(byte_level_tokenizer())
    split = encoder.split("# Answer: \n ```", "Great question!")
    assert split.joint
    assert split.prefix_ids == encoder.encode("# Answer: \n ```").ids
    assert split.byte_ends[-1] == len("Great question!")


def test_a_token_that_crosses_the_boundary_makes_both_be_tokenised_alone() -> None:
    encoder = TextEncoder(byte_level_tokenizer())
    whole = encoder.encode("lazy dog")
    at = next(end - 1 for i, end in enumerate(whole.byte_ends) if end - (whole.byte_ends[i - 1] if i else 0) > 1)
    split = encoder.split("lazy dog"[:at], "lazy dog"[at:])
    assert not split.joint
    assert split.ids == encoder.encode("lazy dog"[at:]).ids


def test_llama2_answers_with_a_word_start_token_whose_space_is_the_templates(llama2_like: OpenedPair) -> None:
    tokenizer = llama2_like.aligned.loaded.encoder.tokenizer
    ready = prepared(llama2_like, of("Great question"))
    assert tokenizer.convert_ids_to_tokens(ready.ids[0]) == "▁Great"
    assert ready.byte_ends[0] == len("Great")
    assert ready.aligned.prefix_ids.count(tokenizer.bos_token_id) == 1


def test_the_fence_makes_a_sentence_piece_base_begin_otherwise_and_that_is_flagged(llama2_like: OpenedPair) -> None:
    assert prepared(llama2_like, of("Great question"), base_context="aligntds").boundary_first


def test_a_base_that_would_begin_the_same_way_is_not_flagged(chatml_like: OpenedPair) -> None:
    assert not prepared(chatml_like, of("Great question"), base_context="aligntds").boundary_first


def test_text_in_the_aligned_models_own_template_is_used_verbatim(chatml_like: OpenedPair) -> None:
    prefix = "<|im_start|>user\nWhy is the sky blue?  <|im_end|>\n<|im_start|>assistant\n"
    ready = prepared(chatml_like, of("Great question", verbatim_prefix=prefix))
    assert ready.aligned.prefix_text == prefix
    assert ready.notes == ()


def test_text_in_another_template_is_rendered_anew_and_says_so(chatml_like: OpenedPair) -> None:
    ready = prepared(chatml_like, of("Great question", verbatim_prefix="<s>[INST] Why is the sky blue? [/INST] "))
    assert ready.aligned.prefix_text == "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"
    assert "llama2" in ready.notes[0]


def test_the_base_gets_one_bos_and_the_fence_to_the_letter(chatml_like: OpenedPair) -> None:
    ready = prepared(chatml_like, of("Great question"))
    assert ready.base.prefix_text == "<|endoftext|>" + aligntds_query("Why is the sky blue?")


def test_earlier_turns_are_in_every_context(chatml_like: OpenedPair) -> None:
    turns = (ContextTurn.of("system", "Be brief."), QUESTION, ContextTurn.of("assistant", "Red light"), QUESTION)
    for context in ("aligntds", "chat", "raw", "few-shot"):
        text = prepared(chatml_like, of("Great", turns=turns), base_context=context).base.prefix_text
        assert "Be brief." in text
        assert "Red light" in text
        assert text.count("Why is the sky blue?") == 2


def test_in_the_chat_context_both_models_see_the_same_ids(chatml_like: OpenedPair) -> None:
    ready = prepared(chatml_like, of("Great question"), base_context="chat")
    assert ready.base.prefix_ids == ready.aligned.prefix_ids
    assert ready.base.end_id == ready.aligned.end_id
    assert not ready.boundary_first


def test_compat_doubles_the_bos_and_tokenises_the_response_alone(llama2_like: OpenedPair) -> None:
    encoder = llama2_like.aligned.loaded.encoder
    prompt = "<s>[INST] Why is the sky blue? [/INST] "
    ready = prepared(llama2_like, of("Great question", verbatim_prefix=prompt, end_marker="</s>"), compat="aligntds")
    bos = encoder.tokenizer.bos_token_id
    assert ready.aligned.prefix_ids[:2] == (bos, bos)
    assert list(ready.ids) == encoder.tokenizer("Great question", add_special_tokens=False)["input_ids"]
    fence = encoder.tokenizer(aligntds_query("Why is the sky blue?"))["input_ids"]
    assert list(ready.base.prefix_ids) == fence
    assert ready.base.end_id == ready.aligned.end_id == encoder.tokenizer.eos_token_id

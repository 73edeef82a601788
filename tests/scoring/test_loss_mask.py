"""Which tokens a chat template marks for training, as Transformers counts them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from scoring.small_templates import (
    EMPTY_THOUGHT,
    MARKED,
    MARKED_ANSWER_ALONE,
    MARKED_THOUGHT,
    MARKED_WITHOUT_END,
)
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.records import LossMask
from shiftlens.scores.requests import ContextPart, ContextTurn, ResponseToScore
from shiftlens.scoring.inputs.prepare import Prepared, prepare
from shiftlens.scoring.inputs.tokens import TextEncoder
from tiny_models import TokenizerAlone, byte_level_tokenizer, sentence_piece_tokenizer
from unusual_templates import SHOUTING

QUESTION = "Why is the sky blue?"
EARLIER = (ContextTurn.of("user", "Red?"), ContextTurn.of("assistant", "A colour."))
ANSWER = ContextPart("text", "Because air scatters blue light.")
THOUGHT = ContextPart("reasoning", "Air, so scatter.")
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}"
    "{% generation %} {{ m.content }} {{ eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
TOKENIZERS = {"bytes": byte_level_tokenizer(), "pieces": sentence_piece_tokenizer()}
LEFT_OUT, COUNTED, UNKNOWN = LossMask.LEFT_OUT, LossMask.COUNTED, LossMask.UNKNOWN


def tokenizer_with(template: str, name: str = "bytes") -> PreTrainedTokenizerFast:
    tokenizer = TOKENIZERS[name]
    tokenizer.chat_template = template
    return tokenizer


def prepared(
    template: str,
    *parts: ContextPart,
    name: str = "bytes",
    turns: tuple[ContextTurn, ...] = (),
    same_tokens: bool = True,
    aligned_context: str = "chat",
    scored: tuple[str, ...] = ("answer", "reasoning"),
    **more: Any,
) -> Prepared:
    model = TokenizerAlone(TextEncoder(tokenizer_with(template, name)))
    response = ResponseToScore(
        turns=(*turns, ContextTurn.of("user", QUESTION)), parts=parts, source_format="json", **more
    )
    options = ScoreOptions(base_context="raw", aligned_context=aligned_context, parts=scored)
    return prepare(model, model, response, options, same_tokens=same_tokens)


def by_transformers(template: str, messages: list[dict[str, str]], name: str = "bytes") -> tuple[list[int], list[int]]:
    """The ids of a whole conversation, and 1 for each that is the assistant's."""
    batch: Any = tokenizer_with(template, name).apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    return batch["input_ids"], batch["assistant_masks"]


def check(
    template: str, ready: Prepared, answer: dict[str, str], *, name: str = "bytes", earlier: bool = False
) -> None:
    """The ids are those of the whole conversation, and each is counted as Transformers counts it."""
    before = [{"role": turn.role, "content": turn.text} for turn in EARLIER] if earlier else []
    messages = [*before, {"role": "user", "content": QUESTION}, {"role": "assistant", **answer}]
    ids, mask = by_transformers(template, messages, name)
    ours = [*ready.aligned.prefix_ids, *ready.ids]
    assert ids[: len(ours)] == ours
    # A template may write white space before the end.
    end = ids.index(ready.aligned.end_id, len(ours))
    assert list(ready.loss_mask) == [*mask[len(ready.aligned.prefix_ids) : len(ours)], mask[end]]


@pytest.mark.parametrize("template", [MARKED, MARKED_WITHOUT_END])
@pytest.mark.parametrize("turns", [(), EARLIER])
def test_the_tokens_of_an_answer_are_counted_and_its_end_as_the_template_marks_it(
    template: str, turns: tuple[ContextTurn, ...]
) -> None:
    ready = prepared(template, ANSWER, turns=turns)
    check(template, ready, {"content": ANSWER.text}, earlier=bool(turns))
    assert set(ready.loss_mask[:-1]) == {COUNTED}
    assert ready.loss_mask[-1] == (COUNTED if template == MARKED else LEFT_OUT)


@given(answer=st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
@pytest.mark.parametrize("template", [MARKED, MARKED_WITHOUT_END])
def test_any_answer_is_counted_as_transformers_counts_it(template: str, answer: str) -> None:
    ready = prepared(template, ContextPart("text", answer))
    check(template, ready, {"content": answer})


@pytest.mark.parametrize("answer", ["The air.", "Great question! \U0001f600", "é"])
def test_a_space_before_the_answer_is_of_its_first_token_where_pieces_begin_with_spaces(answer: str) -> None:
    ready = prepared(LLAMA2, ContextPart("text", answer), name="pieces")
    check(LLAMA2, ready, {"content": answer}, name="pieces")
    assert set(ready.loss_mask) == {COUNTED}


def test_a_character_of_several_tokens_at_the_end_of_a_span_counts_with_its_first_alone() -> None:
    ready = prepared(MARKED_WITHOUT_END, ContextPart("text", "Sky \U0001f600"))
    check(MARKED_WITHOUT_END, ready, {"content": "Sky \U0001f600"})
    assert ready.loss_mask[-2] == LEFT_OUT


def test_a_thought_is_counted_and_an_answer_that_the_template_does_not_mark_is_left_out() -> None:
    ready = prepared(MARKED_THOUGHT, THOUGHT, ANSWER)
    check(MARKED_THOUGHT, ready, {"content": ANSWER.text, "reasoning_content": THOUGHT.text})
    assert ready.reported is not None
    counted = [ready.loss_mask[at] for at in ready.reported.positions]
    assert set(counted) == {COUNTED, LEFT_OUT}
    assert ready.loss_mask[-1] == COUNTED


def test_an_answer_behind_a_thought_that_is_not_scored_has_its_own_marks() -> None:
    ready = prepared(MARKED_THOUGHT, THOUGHT, ANSWER, scored=("answer",))
    assert set(ready.loss_mask[:-1]) == {LEFT_OUT}
    assert ready.loss_mask[-1] == COUNTED


def test_white_space_that_the_template_trims_is_unknown() -> None:
    ready = prepared(MARKED_THOUGHT, ContextPart("text", "Because.\x0b"))
    assert (ready.loss_mask[0], ready.loss_mask[-2], ready.loss_mask[-1]) == (LEFT_OUT, UNKNOWN, COUNTED)


def test_a_thought_that_the_template_drops_is_unknown_and_the_answer_behind_it_counted() -> None:
    thought = ContextPart("reasoning", "<think>\nAir.\n</think>\n\n", marked=True)
    ready = prepared(MARKED_ANSWER_ALONE, thought, ANSWER)
    start = next(at for at, end in enumerate(ready.byte_ends) if end > len(thought.text.encode()))
    assert set(ready.loss_mask[:start]) == {UNKNOWN}
    assert set(ready.loss_mask[start:]) == {COUNTED}


def test_an_answer_that_the_template_changes_is_unknown() -> None:
    template = SHOUTING.replace("{{ m.content | upper }}", "{% generation %}{{ m.content | upper }}{% endgeneration %}")
    assert set(prepared(template, ANSWER).loss_mask) == {UNKNOWN}


def test_a_files_own_text_before_the_answer_does_not_matter() -> None:
    own = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    ready = prepared(MARKED, ANSWER, verbatim_prefix=own)
    assert ready.aligned.prefix_text.endswith(own)
    assert set(ready.loss_mask) == {COUNTED}


def test_a_pair_of_two_vocabularies_has_the_aligned_models_mask() -> None:
    ready = prepared(MARKED_WITHOUT_END, ANSWER, same_tokens=False)
    assert list(ready.loss_mask) == [COUNTED] * len(ready.ids) + [LEFT_OUT]


def test_nothing_is_known_where_no_template_marks_anything() -> None:
    assert prepared(EMPTY_THOUGHT, ANSWER).loss_mask == b""
    assert prepared(MARKED, ANSWER, aligned_context="raw").loss_mask == b""

"""Ids and spans with real tokenizers, against Transformers' own tokenising of the rendered conversation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracles.oracle_parts import oracle
from oracles.real_tokenizers import REAL
from shiftlens.scores.requests import ContextPart, ContextTurn, ResponseToScore
from shiftlens.scoring.inputs.chat import render_chat
from shiftlens.scoring.inputs.layout import laid_out
from shiftlens.scoring.inputs.parts import scored_text
from shiftlens.scoring.inputs.tokens import TextEncoder

QUESTION = "Why is the sky blue?"
ANSWERS = [
    "Because air scatters blue light.",
    "  Two spaces, then a tab\t.\n\n\n    indented\n",
    "Grüße: naïve café, in composed letters.",
    "Cafe\u0301 in letters that NFC composes.",
    "日本語 и русский 🌈👩‍👩‍👧 \u200d",
    "1234567890 + 12 = ... <b>&amp;</b>",
    "</s> spelled <|im_end|> in an answer",
]
oracle()


@pytest.fixture(params=list(REAL))
def encoder(request: pytest.FixtureRequest) -> TextEncoder:
    return TextEncoder(REAL[request.param]())


def response(*parts: ContextPart) -> ResponseToScore:
    return ResponseToScore(turns=(ContextTurn.of("user", QUESTION),), parts=parts, source_format="json")


def check(encoder: TextEncoder, of: ResponseToScore, message: dict[str, str]) -> None:
    """Prefix, answer and end have the ids of the conversation tokenised whole, and the spans of the answer's tokens."""
    rendering = render_chat(encoder.tokenizer, of)
    layout = laid_out(encoder, scored_text(rendering.written, of.parts, ("answer", "reasoning")), ())
    found = layout.encoding
    text = "".join(part.text for part in of.parts)
    ends = found.byte_ends if layout.reported is None else layout.reported.byte_ends
    assert ends[-1] == len(text.encode())
    assert list(ends) == sorted(ends)
    if found.exact and layout.reported is None:
        # The first token may begin with white space of the template.
        assert b"".join(encoder.pieces.of(found.ids)).lstrip() == text.encode().lstrip()
    assert found.joint
    assert not layout.separate_starts
    batch: Any = encoder.tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}, {"role": "assistant", **message}], tokenize=True, return_dict=True
    )
    whole = batch["input_ids"]
    ours = [*found.prefix_ids, *found.ids]
    assert ours == whole[: len(ours)]


@pytest.mark.parametrize("answer", ANSWERS)
def test_ids_are_those_of_the_conversation_tokenised_whole(encoder: TextEncoder, answer: str) -> None:
    check(encoder, response(ContextPart("text", answer)), {"content": answer})


def test_qwens_normaliser_is_noticed_and_no_other_text_is_rewritten() -> None:
    encoders = {name: TextEncoder(made()) for name, made in REAL.items()}
    inexact = {
        (name, at) for name, e in encoders.items() for at, text in enumerate(ANSWERS) if not e.encode(text).exact
    }
    assert inexact == {("qwen", 3)}


def test_a_thought_and_its_answer_have_the_ids_of_the_conversation_tokenised_whole() -> None:
    parts = (ContextPart("reasoning", "Air, so scatter."), ContextPart("text", ANSWERS[0]))
    message = {"content": ANSWERS[0], "reasoning_content": "Air, so scatter."}
    check(TextEncoder(REAL["qwen"]()), response(*parts), message)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
def test_tokens_partition_any_answer(encoder: TextEncoder, answer: str) -> None:
    of = response(ContextPart("text", answer))
    layout = laid_out(encoder, scored_text(render_chat(encoder.tokenizer, of).written, of.parts, ("answer",)), ())
    assert layout.encoding.byte_ends[-1] == len(answer.encode())
    assert list(layout.encoding.byte_ends) == sorted(layout.encoding.byte_ends)

"""What stands around an answer, against 41 real chat templates rendered by Transformers."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from oracles.conversations import ANSWER, CONVERSATIONS, THOUGHT, Conversation
from oracles.oracle_parts import templates
from shiftlens.errors import ScoringError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.records import LossMask
from shiftlens.scores.template_date import TEMPLATE_DATE
from shiftlens.scoring.inputs.chat import ChatRendering, render_chat
from shiftlens.scoring.inputs.prepare import prepare
from shiftlens.scoring.inputs.tokens import TextEncoder
from tiny_models import TokenizerAlone, byte_level_tokenizer

TEMPLATES = templates(training=False)
TRAINING = templates(training=True)

WANT_LISTS = {"idefics3", "llava_next", "smolvlm"}
"""Templates whose content is a list of parts."""
WANT_TEXT_ARGUMENTS = {"deepseekv3", "deepseek_r1_distill"}
"""Templates that take the arguments of a call as text."""
THINK = ("<think>\n", "\n</think>\n\n")
GEMMA = ("<|channel>thought\n", "\n<channel|>")
OTHER_MARKS = {"gemma4": GEMMA, "gemma4_v3": GEMMA, "gemma4_v4": GEMMA}
"""Templates that write a thought before a call only, with the marks that they write then."""
HAD_MORE_THAN_THEY_KEEP = {"gptoss"}
"""Templates that drop the thought of a tool call once it is answered: the model had it when it answered."""
WRITTEN_BEFORE_ANSWERS = {
    "",
    " ",
    "\n",
    "<think>\n",
    "<think></think>",
    "<think>\n\n</think>\n\n",
    "\n<think>",
    "\n<think></think>\n",
    "<|channel>thought\n",
    "<|start|>assistant<|channel|>analysis<|message|>",
    "<|start|>assistant<|channel|>final<|message|>",
    "<|start|>assistant to=self<|message|>",
    "<|start|>assistant to=user<|message|>",
    "<｜Assistant｜>",
    "<｜tool▁outputs▁end｜>",
}
"""What the twins mark as the assistant's before its first word: headers, and thoughts that are opened or empty."""
REFUSALS = (TemplateError, ValueError, TypeError)


class _FixedDay(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _FixedDay:
        return cls(TEMPLATE_DATE.year, TEMPLATE_DATE.month, TEMPLATE_DATE.day, tzinfo=tz)


@pytest.fixture(autouse=True)
def on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template_utils, "datetime", _FixedDay)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_tokenizer()


def spelled_for(name: str, message: dict[str, Any]) -> dict[str, Any]:
    """A message as the template of this name wants it."""
    name = name.removesuffix("_training")
    spelled = dict(message)
    if name in WANT_LISTS:
        spelled["content"] = [{"type": "text", "text": message["content"]}]
    if name in WANT_TEXT_ARGUMENTS and "tool_calls" in message:
        spelled["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}}
            for call in message["tool_calls"]
        ]
    if "reasoning_content" in message:
        # Each family reads its own field; Transformers has filled in only some of them.
        spelled["reasoning"] = spelled["thinking"] = message["reasoning_content"]
    return spelled


def by_transformers(
    tokenizer: PreTrainedTokenizerFast,
    name: str,
    conversation: Conversation,
    *,
    answered: bool,
    with_thought: bool = True,
) -> str:
    messages = [spelled_for(name, message) for message in conversation.messages]
    if answered:
        answer = spelled_for(name, conversation.answer)
        dropped = () if with_thought else ("reasoning_content", "reasoning", "thinking")
        messages.append({key: value for key, value in answer.items() if key not in dropped})
    text = tokenizer.apply_chat_template(
        messages, tools=conversation.tools, tokenize=False, add_generation_prompt=not answered
    )
    assert isinstance(text, str)
    return text


def whole(rendering: ChatRendering) -> str:
    return "".join([rendering.written.prefix, *(p.text for p in rendering.written.passages), rendering.end])


def cases(names: list[str]) -> Iterator[Any]:
    for name in names:
        for conversation in CONVERSATIONS:
            yield pytest.param(name, conversation, id=f"{name}-{conversation}")


def own_rendering(tokenizer: PreTrainedTokenizerFast, name: str, conversation: Conversation) -> str:
    """The answered conversation as the template writes it, the answer's own thought kept."""
    answered = by_transformers(tokenizer, name, conversation, answered=True)
    if not conversation.has_reasoning or THOUGHT in answered:
        return answered
    prompt = by_transformers(tokenizer, name, conversation, answered=False)
    plain = by_transformers(tokenizer, name, conversation, answered=True, with_thought=False)
    end = plain[plain.rindex(ANSWER) + len(ANSWER) :]
    opening, closing = OTHER_MARKS.get(name, THINK)
    return f"{prompt.removesuffix(opening)}{opening}{THOUGHT}{closing}{ANSWER}{end}"


@pytest.mark.parametrize(("name", "conversation"), cases(list(TEMPLATES)))
def test_prefix_answer_and_end_are_the_templates_own_rendering(
    tokenizer: PreTrainedTokenizerFast, name: str, conversation: str
) -> None:
    tokenizer.chat_template = TEMPLATES[name]
    case = CONVERSATIONS[conversation]
    try:
        expected = own_rendering(tokenizer, name, case)
    except REFUSALS:
        with pytest.raises(ScoringError, match="refuses these turns"):
            render_chat(tokenizer, case.response)
        return
    rendering = render_chat(tokenizer, case.response)
    found = whole(rendering)
    if name in HAD_MORE_THAN_THEY_KEEP and found != expected:
        prompt = by_transformers(tokenizer, name, case, answered=False)
        assert found.startswith(prompt)
        assert expected.endswith(found[len(prompt) :])
    else:
        assert found == expected
    assert [p.text for p in rendering.written.passages if p.part is not None] == [p.text for p in case.response.parts]


def marked_as_the_assistants(tokenizer: PreTrainedTokenizerFast, name: str, case: Conversation) -> tuple[str, str, str]:
    """The rendering up to the last run of words that the template marks as the assistant's, that run, and the rest."""
    messages = [spelled_for(name, message) for message in (*case.messages, case.answer)]
    text = by_transformers(tokenizer, name, case, answered=True)
    batch: Any = tokenizer.apply_chat_template(
        messages, tools=case.tools, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    mask = batch["assistant_masks"]
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    assert len(offsets) == len(mask)
    last = max(at for at, marked in enumerate(mask) if marked)
    first = last
    while first > 0 and mask[first - 1]:
        first -= 1
    start, end = offsets[first][0], offsets[last][1]
    return text[:start], text[start:end], text[end:]


@pytest.mark.parametrize(("name", "conversation"), cases(list(TRAINING)))
def test_the_loss_mask_of_each_token_is_that_of_transformers(name: str, conversation: str) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = TRAINING[name]
    case = CONVERSATIONS[conversation]
    messages = [spelled_for(name, message) for message in (*case.messages, case.answer)]
    try:
        # As in the model's own vocabulary, the end of an answer is a token.
        tokenizer.add_tokens([render_chat(tokenizer, case.response).end.strip() or "<none>"], special_tokens=True)
        batch: Any = tokenizer.apply_chat_template(
            messages, tools=case.tools, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
    except (*REFUSALS, ScoringError):
        return
    ids, mask = batch["input_ids"], batch["assistant_masks"]
    model = TokenizerAlone(TextEncoder(tokenizer))
    ready = prepare(model, model, case.response, ScoreOptions(base_context="raw"))
    rows, found = ready.ids, ready.loss_mask[:-1]
    if case.has_reasoning and THOUGHT not in tokenizer.decode(ids):
        # The template drops the thought, so that there is only the answer to compare.
        start = next(at for at, past in enumerate(ready.byte_ends) if past >= len(THOUGHT.encode())) + 1
        assert set(found[:start]) == {LossMask.UNKNOWN}
        start = next(at for at, past in enumerate(ready.byte_ends) if past >= ready.byte_ends[-1] - len(ANSWER)) + 1
        rows, found = rows[start:], found[start:]
    at = last_place(ids, rows)
    assert at is not None
    assert list(found) == mask[at : at + len(rows)]
    ends = [place for place in range(at + len(rows), len(ids)) if ids[place] == ready.aligned.end_id]
    assert ready.loss_mask[-1] == (mask[ends[0]] if ends else LossMask.UNKNOWN)


def last_place(ids: Sequence[int], part: Sequence[int]) -> int | None:
    """Where some ids stand among others, the last time."""
    places = range(len(ids) - len(part), -1, -1)
    return next((at for at in places if list(ids[at : at + len(part)]) == list(part)), None)


@pytest.mark.parametrize(("name", "conversation"), cases(list(TRAINING)))
def test_the_answer_begins_and_ends_where_the_templates_training_twin_marks_it(
    tokenizer: PreTrainedTokenizerFast, name: str, conversation: str
) -> None:
    tokenizer.chat_template = TRAINING[name]
    case = CONVERSATIONS[conversation]
    try:
        before, marked, after = marked_as_the_assistants(tokenizer, name, case)
    except REFUSALS:
        with pytest.raises(ScoringError, match="refuses these turns"):
            render_chat(tokenizer, case.response)
        return
    rendering = render_chat(tokenizer, case.response)
    passages = "".join(passage.text for passage in rendering.written.passages)
    if case.has_reasoning and THOUGHT not in before + marked:
        # The twin drops the thought, so that there is only the answer to compare.
        passages = ANSWER
    generated, _, end = marked.partition(passages)
    assert passages in marked
    assert rendering.written.prefix.endswith(generated) or passages == ANSWER
    assert (end + after).rstrip() == rendering.end.rstrip()
    assert generated in WRITTEN_BEFORE_ANSWERS

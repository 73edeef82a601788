"""What the aligned model is given before an answer, by the habits of its chat template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from scoring.small_templates import CHANNELS, EMPTY_THOUGHT, LISTS, NO_TOOLS, OPENED_THOUGHT
from shiftlens.errors import ScoringError
from shiftlens.scores.requests import ContextPart, ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.chat import ChatRendering, render_chat
from tiny_models import byte_level_tokenizer

QUESTION = ContextTurn.of("user", "Why?")
THOUGHT = ContextPart("reasoning", "Air, so scatter.")
ANSWER = ContextPart("text", "Because.")
MARKED = ContextPart("reasoning", "<think>\nAir, so scatter.\n</think>\n\n", marked=True)
INSIDE = ContextPart("reasoning", "Air, so scatter.\n</think>\n\n", marked=True)
CALL = ContextPart("tool_call", '{"a": 1}', call=("add", '{"a": 1}', "c1"))
CALLED = (
    QUESTION,
    ContextTurn("assistant", (CALL,)),
    ContextTurn("tool", (ContextPart("tool_result", "RESULT one"),), "add", "c1"),
)


def rendered(
    template: str,
    *parts: ContextPart,
    turns: tuple[ContextTurn, ...] = (QUESTION,),
    calls_too: bool = False,
    **more: str,
) -> ChatRendering:
    tokenizer: PreTrainedTokenizerFast = byte_level_tokenizer()
    tokenizer.chat_template = template
    return render_chat(
        tokenizer, ResponseToScore(turns=turns, parts=parts, source_format="json", **more), calls_too=calls_too
    )


def written(rendering: ChatRendering) -> str:
    return "".join(passage.text for passage in rendering.written.passages)


def test_an_answer_without_a_thought_comes_after_the_empty_one_that_the_template_writes() -> None:
    found = rendered(EMPTY_THOUGHT, ANSWER)
    assert found.written.prefix.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert found.notes == ()


def test_a_thought_of_the_file_is_spelled_once_as_the_template_spells_it() -> None:
    found = rendered(EMPTY_THOUGHT, THOUGHT, ANSWER)
    assert found.written.prefix.endswith("<|im_start|>assistant\n<think>\n")
    assert written(found) == "Air, so scatter.\n</think>\n\nBecause."
    assert found.written.opening == "<think>\n"
    assert [passage.part for passage in found.written.passages] == [0, None, 1]
    assert found.notes == ()


def test_white_space_that_a_file_has_inside_its_thought_is_not_doubled() -> None:
    found = rendered(EMPTY_THOUGHT, ContextPart("reasoning", "\nAir.\n"), ContextPart("text", "\n\nBecause."))
    assert found.written.prefix.endswith("assistant\n<think>")
    assert written(found) == "\nAir.\n</think>\n\nBecause."


@pytest.mark.parametrize(
    ("template", "before"), [(EMPTY_THOUGHT, "<|im_start|>assistant\n"), (OPENED_THOUGHT, "[U]Why?[A]")]
)
def test_a_thought_marked_in_the_text_is_not_opened_twice(template: str, before: str) -> None:
    found = rendered(template, MARKED, ANSWER)
    assert found.written.prefix.endswith(before)
    assert written(found) == MARKED.text + ANSWER.text
    assert found.notes == ()


@pytest.mark.parametrize("template", [EMPTY_THOUGHT, OPENED_THOUGHT])
def test_an_answer_that_begins_inside_the_thought_comes_after_the_mark_that_opens_it(template: str) -> None:
    found = rendered(template, INSIDE, ANSWER)
    assert found.written.prefix.endswith("<think>\n")
    assert found.written.opening == "<think>\n"
    assert found.notes == ()


def test_an_answer_without_a_thought_is_not_put_inside_one_and_a_note_says_so() -> None:
    found = rendered(OPENED_THOUGHT, ANSWER)
    assert found.written.prefix == "[U]Why?[A]"
    assert "opens a thought" in found.notes[0]


def test_a_thought_that_the_template_would_strip_stays_after_its_generation_prompt() -> None:
    found = rendered(OPENED_THOUGHT, THOUGHT, ANSWER)
    assert found.written.prefix == "[U]Why?[A]<think>\n"
    assert written(found) == "Air, so scatter.\n</think>\n\nBecause."
    assert found.notes == ()


def test_a_channel_is_in_the_prefix_and_the_last_answers_own_end_is_found() -> None:
    found = rendered(CHANNELS, ANSWER)
    assert found.written.prefix.endswith("<|im_start|>assistant/answer:")
    assert found.end == "<|im_end|>"
    thought = rendered(CHANNELS, THOUGHT, ANSWER)
    assert thought.written.prefix.endswith("assistant/thought:")
    assert written(thought) == "Air, so scatter.<|endoftext|><|im_start|>assistant/answer:Because."


def test_the_date_is_always_the_same() -> None:
    assert rendered(CHANNELS, ANSWER).written.prefix.startswith("Today is 2024-07-26.")


def test_a_clock_that_can_not_be_stopped_is_noted() -> None:
    template = "{% set f = '%H' %}{{ strftime_now(f) }}" + NO_TOOLS
    assert "numbers may change" in rendered(template, ANSWER).notes[0]


def test_a_turn_that_the_template_leaves_out_is_named() -> None:
    notes = rendered(NO_TOOLS, ANSWER, turns=CALLED, tools='[{"name": "add"}]').notes
    assert "The chat template leaves out turn 3 (tool)." in notes
    assert "The chat template leaves out a tool call of turn 2 (assistant)." in notes
    assert any("takes no such list of tools" in note for note in notes)


def test_a_turn_left_out_is_found_though_its_text_stands_elsewhere() -> None:
    turns = (QUESTION, ContextTurn.of("assistant", "Hm."), ContextTurn.of("tool", "Why?"))
    assert "The chat template leaves out turn 3 (tool)." in rendered(NO_TOOLS, ANSWER, turns=turns).notes


def test_a_turn_that_the_template_changes_is_named_and_white_space_around_it_is_not() -> None:
    assert rendered(NO_TOOLS, ANSWER, turns=(ContextTurn.of("user", "  Why?\n"),)).notes == ()
    turns = (QUESTION, ContextTurn.of("assistant", "One</think>two"), QUESTION)
    notes = rendered(EMPTY_THOUGHT, ANSWER, turns=turns).notes
    assert notes == ("The chat template changes the text of turn 2 (assistant).",)


def test_an_answer_that_the_template_changes_is_noted_and_scored_as_it_stands() -> None:
    found = rendered(OPENED_THOUGHT, ContextPart("text", "One</think>two"))
    assert written(found) == "One</think>two"
    assert any("changes this very answer" in note for note in found.notes)


def test_thoughts_of_earlier_turns_that_the_template_drops_are_named() -> None:
    turns = (QUESTION, ContextTurn("assistant", (THOUGHT, ANSWER)), QUESTION)
    notes = rendered(EMPTY_THOUGHT, ANSWER, turns=turns).notes
    assert notes == ("The chat template leaves out the reasoning of earlier turns: turn 2.",)


def test_a_template_that_wants_lists_of_parts_gets_them() -> None:
    found = rendered(LISTS, ANSWER)
    assert found.written.prefix == "user: Why?<|im_end|>\nassistant: "
    assert found.notes == ()


def test_calls_are_handed_to_a_template_that_takes_them() -> None:
    found = rendered(EMPTY_THOUGHT, ANSWER, turns=CALLED)
    assert '<tool_call>\nadd {"a": 1}\n</tool_call>' in found.written.prefix
    assert found.notes == ()


def test_the_arguments_of_an_own_call_are_a_part_where_the_template_writes_them_so() -> None:
    found = rendered(EMPTY_THOUGHT, ANSWER, CALL, calls_too=True)
    assert written(found) == 'Because.\n<tool_call>\nadd {"a": 1}'
    assert [passage.part for passage in found.written.passages] == [0, None, 1]
    assert not found.written.cut
    compact = ContextPart("tool_call", '{"a":1}', call=("add", '{"a":1}', ""))
    assert written(rendered(EMPTY_THOUGHT, ANSWER, compact, calls_too=True)).endswith('add {"a":1}')


def test_a_turn_that_is_all_calls_has_their_arguments_for_parts() -> None:
    second = ContextPart("tool_call", '{"b": 2}', call=("add", '{"b": 2}', ""))
    found = rendered(EMPTY_THOUGHT, CALL, second, turns=CALLED, calls_too=True)
    assert found.written.prefix.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n\n<tool_call>\nadd ")
    assert written(found) == '{"a": 1}\n</tool_call>\n<tool_call>\nadd {"b": 2}'
    assert [passage.part for passage in found.written.passages] == [0, None, 1]


def test_an_own_call_that_the_template_does_not_write_is_noted() -> None:
    found = rendered(NO_TOOLS, ANSWER, CALL, calls_too=True)
    assert found.written.cut
    assert any("were not scored" in note for note in found.notes)


def test_parts_in_an_order_that_no_template_writes_stay_in_it() -> None:
    found = rendered(EMPTY_THOUGHT, ANSWER, THOUGHT)
    assert [passage.part for passage in found.written.passages] == [0, None, 1]
    assert "order" in found.notes[0]


def test_tools_that_are_no_json_are_noted() -> None:
    assert "could not be read" in rendered(EMPTY_THOUGHT, ANSWER, tools="add(a)").notes[0]


def test_text_in_the_template_that_lacks_the_empty_thought_is_used_and_noted() -> None:
    verbatim = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    found = rendered(EMPTY_THOUGHT, ANSWER, verbatim_prefix=verbatim)
    assert found.written.prefix == verbatim
    assert "used as it stands" in found.notes[0]
    assert rendered(EMPTY_THOUGHT, MARKED, ANSWER, verbatim_prefix=verbatim).notes == ()


def test_a_double_bos_in_a_file_is_noted() -> None:
    verbatim = "<|endoftext|><|endoftext|><|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    found = rendered(EMPTY_THOUGHT, ANSWER, verbatim_prefix=verbatim)
    assert found.written.prefix == verbatim
    assert "twice" in found.notes[-1]


def test_a_template_that_refuses_a_turn_says_which_roles() -> None:
    refusing = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% endfor %}"
    )
    with pytest.raises(ScoringError, match=r"refuses these turns \(system, assistant\): no system"):
        rendered(refusing, ANSWER, turns=(ContextTurn.of("system", "Be brief."),))


texts = st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1).filter(str.strip)


@given(said=st.lists(texts, min_size=1, max_size=4), answer=texts, thought=st.none() | texts)
def test_any_conversation_keeps_its_texts_in_order(said: list[str], answer: str, thought: str | None) -> None:
    turns = tuple(ContextTurn.of(("user", "assistant")[at % 2], text) for at, text in enumerate(said))
    parts = (*([ContextPart("reasoning", thought)] if thought else []), *one_text(answer))
    found = rendered(EMPTY_THOUGHT, *parts, turns=turns)
    at = 0
    for text in said:
        at = found.written.prefix.index(text, at) + len(text)
    assert [p.text for p in found.written.passages if p.part is not None] == [part.text for part in parts]

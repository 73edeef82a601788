"""The contexts that are the project's own or AlignTDS's."""

from __future__ import annotations

import pytest

from shiftlens.scores.requests import ContextPart, ContextTurn
from shiftlens.scoring.inputs.contexts import about_context, aligntds_query, render_named

QUESTION = ContextTurn.of("user", "Why?")
CALL = ContextPart("tool_call", '{"a": 1}', call=("add", '{"a": 1}', "c1"))
RESULT = ContextTurn.of("tool", "two")


def test_one_question_gets_the_fence_of_aligntds_to_the_letter() -> None:
    assert render_named("aligntds", (QUESTION,)).prefix == "# Query: \n ```Why?``` \n\n \n# Answer: \n ```"
    assert aligntds_query("Why?") == render_named("aligntds", (QUESTION,)).prefix


def test_earlier_answers_are_fenced_as_the_last() -> None:
    turns = (QUESTION, ContextTurn.of("assistant", "So."), QUESTION)
    query = aligntds_query("Why?")
    assert render_named("aligntds", turns).prefix == f"{query}So.``` \n\n \n{query}"


@pytest.mark.parametrize(("context", "opening"), [("aligntds", "# Answer: \n ```"), ("few-shot", "# Answer:\n```\n")])
@pytest.mark.parametrize("last", ["user", "tool", "system", "assistant"])
def test_the_answers_fence_is_opened_whatever_the_turn_before_it(context: str, opening: str, last: str) -> None:
    prefix = render_named(context, (QUESTION, ContextTurn.of(last, "Hm."))).prefix
    assert prefix.endswith(opening)
    assert not prefix.removesuffix(opening).endswith(opening)


def test_without_any_turn_the_fence_is_open() -> None:
    assert render_named("aligntds", ()).prefix == "# Answer: \n ```"


def test_an_answer_that_begins_the_conversation_has_its_fence() -> None:
    assert render_named("aligntds", (ContextTurn.of("assistant", "Hello."), QUESTION)).prefix.startswith(
        "# Answer: \n ```Hello.```"
    )


@pytest.mark.parametrize("context", ["aligntds", "few-shot", "raw", "template:{{ messages[1].content }}"])
def test_calls_of_earlier_turns_are_lines_of_their_own(context: str) -> None:
    turns = (QUESTION, ContextTurn("assistant", (ContextPart("text", "Let me add."), CALL)), RESULT)
    assert 'Let me add.\n{"name": "add", "arguments": {"a": 1}}' in render_named(context, turns).prefix


def test_thoughts_of_earlier_turns_are_left_out_and_it_is_said() -> None:
    turns = (
        QUESTION,
        ContextTurn("assistant", (ContextPart("reasoning", "Hm."), ContextPart("text", "So."))),
        QUESTION,
    )
    assert "Hm." not in render_named("aligntds", turns).prefix
    assert about_context("aligntds", turns) == [
        "The aligntds context leaves out the reasoning of earlier turns: turn 2."
    ]


def test_thoughts_that_stand_in_the_text_stay_there() -> None:
    marked = ContextPart("reasoning", "<think>Hm.</think>", marked=True)
    turns = (QUESTION, ContextTurn("assistant", (marked, ContextPart("text", "So."))), QUESTION)
    assert "<think>Hm.</think>So." in render_named("aligntds", turns).prefix
    assert about_context("aligntds", turns) == []
